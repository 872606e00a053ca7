package config

// TLS says how listeners with tls serve. Its paths are relative to the
// document's directory until Parse resolves them.
type TLS struct {
	_ struct{} `doc:"How listeners with tls serve. Paths are relative to the document's directory; files are watched, and read again when they change."`

	Certificates []Certificate `yaml:"certificates" doc:"The certificates of files. Names that several are for get the one of the kind of key that the client verifies."`
	Default      string        `yaml:"default" example:"api.example.org" doc:"The host whose certificate is shown to clients that ask for none or for one that nothing serves. Without it, they are refused."`
	Profile      string        `yaml:"profile" enum:"modern|intermediate|TLS_1_0|TLS_1_2|SecurityPolicy_TLS12_2018_EDGE|SecurityPolicy_TLS12_PFS_2025_EDGE|SecurityPolicy_TLS13_1_2_2021_06|SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09|SecurityPolicy_TLS13_1_2_PQ_2025_09|SecurityPolicy_TLS13_1_3_2025_09|SecurityPolicy_TLS13_2025_EDGE" default:"intermediate" doc:"The versions and cipher suites: modern is TLS 1.3, intermediate is 1.2 too with forward secrecy; or the name of a security policy of AWS."`
	ACME         *ACME         `yaml:"acme" doc:"How certificates are had for domains with tls: auto."`
	Tickets      Tickets       `yaml:"tickets" doc:"How sessions are resumed."`
	ECH          ECH           `yaml:"ech" doc:"Encrypted Client Hello."`
	OCSP         bool          `yaml:"ocsp" doc:"Asks the responders that certificates of files name, and staples what they answer."`
}

// Certificate names files with certificates and their keys, in PEM.
type Certificate struct {
	_ struct{} `doc:"Files with certificates and their keys, in PEM: cert and key, a bundle, or a directory."`

	Cert      string `yaml:"cert" needs:"key" doc:"A file with the certificate and those of its authorities, in any order."`
	Key       string `yaml:"key" needs:"cert" doc:"The file with the certificate's key, not encrypted."`
	Bundle    string `yaml:"bundle" doc:"A file with certificate, authorities and key, in any order."`
	Directory string `yaml:"directory" doc:"A directory of bundles (name.pem) and pairs (name.crt or name.pem with name.key). A bad file is named in the log, and the others are served."`
}

// ACME says how certificates are had from a directory (RFC 8555).
type ACME struct {
	_ struct{} `doc:"How certificates are had from an ACME directory."`

	Email           string           `yaml:"email" pattern:"^.+@.+$" example:"ops@example.org" doc:"Whom the directory may write to."`
	Directory       string           `yaml:"directory" pattern:"^https://.+$" default:"https://acme-v02.api.letsencrypt.org/directory" doc:"The URL of the directory."`
	CA              string           `yaml:"ca" doc:"A PEM file with the authorities that the directory's own server is verified by. Without it, the system's."`
	Challenges      []string         `yaml:"challenges" enum:"http-01|tls-alpn-01|dns-01" doc:"How control of a name is shown. Without any it is http-01 and tls-alpn-01, and dns-01 alone where dns is written."`
	DNS             *ACMEDNS         `yaml:"dns" doc:"The name server that takes records for dns-01."`
	ExternalAccount *ExternalAccount `yaml:"externalAccount" doc:"The account at the authority that the ACME account is bound to."`
	OnDemand        *OnDemand        `yaml:"onDemand" doc:"Gets certificates for further names when a client asks for them."`
}

// ACMEDNS is a name server that takes updates (RFC 2136).
type ACMEDNS struct {
	_ struct{} `doc:"A name server that takes dynamic updates (RFC 2136), signed by TSIG."`

	Server    string `yaml:"server" required:"true" example:"10.0.0.53:53" doc:"Its address, host:port."`
	Zone      string `yaml:"zone" example:"example.org" doc:"The zone that is changed. Without it, it is found by asking the server."`
	KeyName   string `yaml:"keyName" needs:"key" doc:"The name of the TSIG key."`
	Key       string `yaml:"key" secrets:"true" needs:"keyName" doc:"The TSIG key in base64."`
	Algorithm string `yaml:"algorithm" enum:"hmac-sha256|hmac-sha384|hmac-sha512" default:"hmac-sha256" needs:"key" doc:"The TSIG algorithm."`
}

// ExternalAccount binds an ACME account to one of the authority (RFC 8555 §7.3.4).
type ExternalAccount struct {
	_ struct{} `doc:"The account at the authority that the ACME account is bound to."`

	ID  string `yaml:"id" required:"true" doc:"The key identifier that the authority has given."`
	Key string `yaml:"key" required:"true" secrets:"true" pattern:"^[A-Za-z0-9_-]+=*$" doc:"The HMAC key that the authority has given, in base64url."`
}

// OnDemand says for which further names a certificate may be had.
type OnDemand struct {
	_ struct{} `doc:"For which further names a certificate may be had when a client asks for them: those that allow lists and, where ask is written, that it agrees to as well."`

	Allow []string `yaml:"allow" example:"*.shops.example" doc:"The names: exact ones, or wildcards of one label."`
	Ask   string   `yaml:"ask" pattern:"^https?://.+$" doc:"A URL that is asked with ?domain=name before each first certificate; 200 allows it."`
}

// Tickets say how sessions are resumed.
type Tickets struct {
	_ struct{} `doc:"How sessions are resumed. One set of keys serves all listeners; a ticket is worth something only for its own name and the same rules for clients."`

	Rotate Duration `yaml:"rotate" min:"1m" default:"12h" doc:"How long a key seals new tickets. Two older ones still open theirs."`
	File   string   `yaml:"file" doc:"A file with keys that several nodes share: 32 bytes in base64 a line, the first one seals. Nothing rotates then but the file."`
}

// ECH says which keys Encrypted Client Hello is served with (RFC 9849).
type ECH struct {
	_ struct{} `doc:"Encrypted Client Hello (RFC 9849)."`

	Keys string `yaml:"keys" doc:"A PEM file of private keys, each followed by its ECHCONFIG. The first one is what clients are told to use."`
}

// DomainTLS says how one host is served over TLS.
type DomainTLS struct {
	_ struct{} `doc:"How one host is served over TLS."`

	Source             string              `yaml:"source" enum:"files|auto|dev|off" default:"files" doc:"Where the certificate comes from: tls.certificates, ACME, a local authority for development, or nowhere."`
	Profile            string              `yaml:"profile" enum:"modern|intermediate|TLS_1_0|TLS_1_2|SecurityPolicy_TLS12_2018_EDGE|SecurityPolicy_TLS12_PFS_2025_EDGE|SecurityPolicy_TLS13_1_2_2021_06|SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09|SecurityPolicy_TLS13_1_2_PQ_2025_09|SecurityPolicy_TLS13_1_3_2025_09|SecurityPolicy_TLS13_2025_EDGE" doc:"The versions and cipher suites. Without it, those of tls.profile."`
	ClientCertificates *ClientCertificates `yaml:"clientCertificates" doc:"Which certificates clients show."`
	HSTS               *HSTS               `yaml:"hsts" doc:"Tells browsers to come by TLS only."`
	Redirect           bool                `yaml:"redirect" doc:"Redirects requests for the host that come without TLS: 301 for GET and HEAD, 308 for the others."`
}

// ClientCertificates say which certificates clients show (mutual TLS).
type ClientCertificates struct {
	_ struct{} `doc:"Which certificates clients show (mutual TLS)."`

	Truststore string   `yaml:"truststore" required:"true" doc:"A PEM file with the authorities: RSA of 2048 bits or ECDSA of 256 and more, signed with SHA-256 or better. One that cannot be used is named in the log."`
	Mode       string   `yaml:"mode" enum:"required|optional" default:"required" doc:"Whether a client must show one. One that is shown must be valid either way."`
	CRL        []string `yaml:"crl" doc:"Files with revocation lists, PEM or DER. With any, each authority of a client's chain needs one, and one that is overdue refuses."`
	ExpiredCRL string   `yaml:"expiredCRL" enum:"refuse|accept" default:"refuse" doc:"What an overdue revocation list does: refuse its clients, or go on with what it says."`
	Depth      int      `yaml:"depth" min:"0" max:"10" doc:"The most certificates of a chain, the authority's included. 0 is 4."`
	Forward    bool     `yaml:"forward" doc:"Sends the certificate to upstreams as Client-Cert and Client-Cert-Chain (RFC 9440). What a client sends under these names never reaches them."`
}

// HSTS is what Strict-Transport-Security says (RFC 6797).
type HSTS struct {
	_ struct{} `doc:"What the header Strict-Transport-Security says (RFC 6797)."`

	MaxAge            Duration `yaml:"maxAge" required:"true" min:"0s" example:"365d" doc:"How long browsers remember it. 0s makes them forget."`
	IncludeSubDomains bool     `yaml:"includeSubDomains" doc:"It holds for all hosts below this one too."`
	Preload           bool     `yaml:"preload" doc:"Agrees to be in the lists that browsers come with; it needs includeSubDomains and a year."`
}
