vcl 4.1;

# In front of {{.Upstream}}. What may be kept is below /cached/.
backend default {
    .host = "{{.UpstreamHost}}";
    .port = "{{.UpstreamPort}}";
}

sub vcl_recv {
    set req.http.X-Forwarded-Proto = "http";
    set req.http.X-Forwarded-Host = req.http.Host;
    if (req.url !~ "^/cached/") {
        return (pass);
    }
}

sub vcl_backend_fetch {
    set bereq.http.Via = "1.1 varnish";
    set bereq.http.X-Request-Id = bereq.http.X-Varnish;
}

sub vcl_deliver {
    set resp.http.X-Request-Id = resp.http.X-Varnish;
}
