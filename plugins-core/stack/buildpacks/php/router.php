<?php
// Asked by PHP's server about each request: false has it go on as usual.
$path = rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/');
if (preg_match('#/\.(?!well-known(/|$))#', $path)) {
    http_response_code(404);
    echo "404 page not found\n";
    return true;
}
return false;
