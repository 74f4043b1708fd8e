module thinveil.example/engine

go 1.19
