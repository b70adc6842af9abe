"""One image under one condition: unit, pictures, what is to do, threads, Ray."""
