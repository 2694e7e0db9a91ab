SELECT transform(array(1,2), (x,i) -> x + i), aggregate(array(1), 0, (a,x) -> a + x), explode(map('a',1))
