vcl 4.1;

# LL-HLS between nginx and the class server (docs/OPERATIONS.md, "Behind nginx"): whoever asks for a part or a
# playlist that is on its way waits here and is answered the moment it comes. nginx looks every half second.
# nginx has asked about the token, and says in LL-Run which run of the lesson it is: another after each cut, so
# that nothing from before is found again. Nobody but nginx may reach this port. Varnish 7.1 or newer.

include "origin.vcl";

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    if (req.url !~ "^/hls/" || !req.http.LL-Run) {
        return (synth(404));
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.url);
    hash_data(req.http.LL-Run);
    return (lookup);
}

sub vcl_backend_response {
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    # What the server says is everybody's is kept, refusals of a moment too; nothing else, and it bars nobody.
    if (beresp.http.Cache-Control !~ "^public") {
        set beresp.ttl = 0s;
    } elsif (beresp.status == 503) {
        set beresp.ttl = 1s;
    }
    return (deliver);
}

sub vcl_backend_error {
    set beresp.ttl = 0s;
    set beresp.http.Content-Type = "application/problem+json";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "2";
    synthetic({"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"the class server does not answer","code":"unavailable" }"});
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    unset resp.http.Age;
}
