package config_test

import (
	"fmt"

	"weir/proxy/config"
)

func Example() {
	_, err := config.Parse("weir.yaml", []byte(`
apis:
  site:
    routes:
      - { path: "/pets/{id}", methods: [get], upstrem: web }
upstreams:
  web: { targets: ["10.0.0.1:8080"] }
`))
	fmt.Println(err)
	// Output:
	// weir.yaml:5:41: apis.site.routes[0].methods[0]: methods are written in capitals; did you mean "GET"?
	// weir.yaml:5:47: apis.site.routes[0].upstrem: unknown key; did you mean "upstream"?
	// weir.yaml:7:20: upstreams.web.targets[0]: a target needs a scheme; did you mean "http://10.0.0.1:8080"?
}
