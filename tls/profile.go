package tls

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DefaultProfile holds where none is named.
const DefaultProfile = "intermediate"

// profile is a set of versions and suites.
type profile struct {
	min, max uint16
	suites   []uint16 // of TLS 1.2 and older; TLS 1.3 has the three of Go
	curves   []stdtls.CurveID
}

// errFIPS is why weir has no FIPS policies: their name promises a validated module.
var errFIPS = errors.New("its name promises a validated FIPS 140 module, which this build is not")

// ProfileNames returns the names that a document may use, sorted.
func ProfileNames() []string { return slices.Sorted(maps.Keys(profiles())) }

func profiles() map[string]profile {
	forward := []uint16{
		stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, stdtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		stdtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, stdtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	// What AWS's older policies have beside them, as far as crypto/tls has it.
	cbc := append(slices.Clone(forward),
		stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, stdtls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	)
	static := append(slices.Clone(cbc),
		stdtls.TLS_RSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		stdtls.TLS_RSA_WITH_AES_128_CBC_SHA256, stdtls.TLS_RSA_WITH_AES_128_CBC_SHA, stdtls.TLS_RSA_WITH_AES_256_CBC_SHA,
	)
	quantum := []stdtls.CurveID{stdtls.X25519MLKEM768, stdtls.X25519, stdtls.CurveP256, stdtls.CurveP384}
	classic := quantum[1:]
	modern := profile{min: stdtls.VersionTLS13, curves: quantum}
	old := profile{min: stdtls.VersionTLS12, suites: static, curves: classic}
	return map[string]profile{
		"modern":       modern,
		"intermediate": {min: stdtls.VersionTLS12, suites: forward, curves: quantum},

		"TLS_1_0": {min: stdtls.VersionTLS10, suites: static, curves: classic},
		"TLS_1_2": old,

		"SecurityPolicy_TLS13_1_3_2025_09":        modern,
		"SecurityPolicy_TLS13_2025_EDGE":          modern,
		"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09": {min: stdtls.VersionTLS12, suites: forward, curves: quantum},
		"SecurityPolicy_TLS13_1_2_PQ_2025_09":     {min: stdtls.VersionTLS12, suites: static, curves: quantum},
		"SecurityPolicy_TLS13_1_2_2021_06":        old,
		"SecurityPolicy_TLS12_PFS_2025_EDGE":      {min: stdtls.VersionTLS12, suites: forward, curves: classic},
		"SecurityPolicy_TLS12_2018_EDGE":          old,
	}
}

func profileOf(name string) (profile, error) {
	if name == "" {
		name = DefaultProfile
	}
	p, known := profiles()[name]
	switch {
	case known:
		return p, nil
	case strings.HasPrefix(name, "SecurityPolicy_") && strings.Contains(name, "_FIPS_"):
		return profile{}, fmt.Errorf("cannot use profile %q: %w", name, errFIPS)
	}
	return profile{}, fmt.Errorf("cannot use profile %q: the profiles are %s", name, strings.Join(ProfileNames(), ", "))
}

func (p profile) apply(c *stdtls.Config) {
	c.MinVersion, c.MaxVersion = p.min, p.max
	c.CipherSuites, c.CurvePreferences = p.suites, p.curves
}
