package tls

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

const (
	updateTimeout = 10 * time.Second
	updateTTL     = 60 // seconds
	tsigFudge     = 300
)

// updater changes records of a zone by dynamic updates (RFC 2136). It is a
// provider for libdns.
type updater struct {
	settings DNS
}

func newUpdater(s DNS) *updater { return &updater{settings: s} }

// AppendRecords adds records to a zone.
func (u *updater) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return u.update(ctx, zone, records, (*dns.Msg).Insert)
}

// DeleteRecords takes records away from a zone.
func (u *updater) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return u.update(ctx, zone, records, (*dns.Msg).Remove)
}

func (u *updater) update(ctx context.Context, zone string, records []libdns.Record, change func(*dns.Msg, []dns.RR)) ([]libdns.Record, error) {
	changed := zone
	if u.settings.Zone != "" {
		changed = u.settings.Zone
	}
	message := new(dns.Msg)
	message.SetUpdate(dns.Fqdn(changed))
	for _, record := range records {
		rr := record.RR()
		if rr.Type != "TXT" {
			return nil, fmt.Errorf("cannot change a record of type %q: challenges are TXT", rr.Type)
		}
		change(message, []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{Name: dns.Fqdn(libdns.AbsoluteName(rr.Name, zone)), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: updateTTL},
			Txt: []string{rr.Data},
		}})
	}
	client := &dns.Client{Net: "tcp", Timeout: updateTimeout}
	if u.settings.KeyName != "" {
		name, algorithm := dns.Fqdn(strings.ToLower(u.settings.KeyName)), u.settings.Algorithm
		if algorithm == "" {
			algorithm = "hmac-sha256"
		}
		client.TsigSecret = map[string]string{name: u.settings.Key}
		message.SetTsig(name, dns.Fqdn(algorithm), tsigFudge, time.Now().Unix())
	}
	answer, _, err := client.ExchangeContext(ctx, message, u.settings.Server)
	if err != nil {
		return nil, fmt.Errorf("cannot update zone %q at %q: %w", changed, u.settings.Server, err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("cannot update zone %q at %q: it answers %s", changed, u.settings.Server, dns.RcodeToString[answer.Rcode])
	}
	return records, nil
}
