<?php

require __DIR__ . '/vendor/autoload.php';

echo Greeting\Greeting::hello('php'), "\n";
