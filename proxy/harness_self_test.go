package proxy

import "testing"

func TestGatewayForwards(t *testing.T) {
	up := startUpstream(t, answerEach(func(r *rawRequest) string { return okText(r.Method + " " + r.Target + " " + r.Body) }))
	g := startGateway(t, proxyTo(up.url()))
	c := g.dial()
	c.send("POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", "GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if a := c.answer("POST"); a.Status != 200 || a.Body != "POST /a?b hi" {
		t.Fatalf("got %+v; want 200 with what was sent", a)
	}
	if a := c.answer("GET"); a.Status != 200 || a.Body != "GET /c " {
		t.Fatalf("got %+v; want 200 with what was sent", a)
	}
	c.closed()
	if conns, requests := up.counts(); conns != 1 || requests != 2 {
		t.Fatalf("got %d connections with %d requests; want 1 with 2", conns, requests)
	}
}
