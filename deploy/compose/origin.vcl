# Where the class server is in docker-compose.yml; in place of ../varnish/origin.vcl.
backend origin {
    .host = "liveserver";
    .port = "8080";
    .connect_timeout = 2s;
    .first_byte_timeout = 15s;  # the server lets a request wait for 12 s
    .between_bytes_timeout = 5s;
}
