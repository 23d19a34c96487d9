<?php
// Asked by PHP's server about each request: false has it go on as usual.
// It is looked at as it was sent: what is parsed as a URL loses a part that follows two slashes, which the server finds.
$path = rawurldecode(explode('?', $_SERVER['REQUEST_URI'], 2)[0]);
if (preg_match('#[/\\\\]\.(?!well-known([/\\\\]|$))#', $path)) {
    http_response_code(404);
    echo "404 page not found\n";
    return true;
}
return false;
