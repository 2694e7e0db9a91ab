SELECT to_json(struct(a,b)), from_json(b, 'x INT') FROM t LATERAL VIEW explode(array(1)) z AS q
