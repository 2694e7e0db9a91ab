SELECT stack(2,1,2), inline(array(struct(1)))
