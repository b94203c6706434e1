# Where the class server is; included by lectern.vcl.
backend origin {
    # CHANGE: http.host and http.port.
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 2s;
    .first_byte_timeout = 15s;  # the server lets a request wait for 12 s
    .between_bytes_timeout = 5s;
}
