package config

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time, written with its unit: 10s, 1m30s, 250ms.
type Duration time.Duration

// String returns d as the document writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// ParseDuration reads a length of time of zero or more, with its unit.
func ParseDuration(text string) (Duration, error) {
	d, wrong := parseDuration(text)
	if wrong != nil {
		return 0, wrong
	}
	return d, nil
}

const durationExamples = "write 500ms, 10s, 1m30s or 2h"

func parseDuration(text string) (Duration, *complaint) {
	if isNumber(text) {
		return 0, complain("a duration needs a unit", didYouMean(text+"s"))
	}
	days, rest, err := cutDays(text)
	d := time.Duration(0)
	if err == nil && (rest != "" || text == "") {
		d, err = time.ParseDuration(rest)
	}
	if err != nil || days > 0 && d < 0 {
		return 0, complain("expected a duration, found "+quote(text), durationExamples)
	}
	d += days
	if d < 0 {
		return 0, complain("a duration cannot be negative", "")
	}
	return Duration(d), nil
}

// maxDays keeps a duration far from what its type can hold.
const maxDays = 36500

// cutDays takes whole days from the front of a text: the library knows no unit
// above the hour.
func cutDays(text string) (days time.Duration, rest string, err error) {
	number, rest, found := strings.Cut(text, "d")
	if !found {
		return 0, text, nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err == nil && n > maxDays {
		err = strconv.ErrRange
	}
	return time.Duration(n) * 24 * time.Hour, rest, err
}

// ByteSize is a number of bytes, written plainly or with a unit: 512, 64KiB, 10MB.
type ByteSize int64

// Unlimited is the ByteSize that is written none.
const Unlimited ByteSize = -1

type byteUnit struct {
	name  string
	bytes int64
}

// byteUnits lists the units, the exact one for a printed size first.
func byteUnits() [8]byteUnit {
	return [8]byteUnit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// String returns b exactly, in the largest binary unit that divides it.
func (b ByteSize) String() string {
	if b == Unlimited {
		return "none"
	}
	for _, unit := range byteUnits() {
		if b != 0 && int64(b)%unit.bytes == 0 && strings.HasSuffix(unit.name, "iB") {
			return strconv.FormatInt(int64(b)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// ParseByteSize reads 512, 64KiB, 10MB or none.
func ParseByteSize(text string) (ByteSize, error) {
	b, wrong := parseByteSize(text)
	if wrong != nil {
		return 0, wrong
	}
	return b, nil
}

const byteSizeExamples = "write 4096, 64KiB, 10MB or none"

func parseByteSize(text string) (ByteSize, *complaint) {
	if text == "none" || text == "-1" {
		return Unlimited, nil
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if digits == 0 {
		return 0, complain("expected a size in bytes, found "+quote(text), byteSizeExamples)
	}
	unit := strings.TrimPrefix(text[digits:], " ")
	bytes := unitBytes(unit)
	if bytes == 0 {
		if right := rightUnit(unit); right != "" {
			return 0, complain("unknown unit "+quote(unit), didYouMean(text[:digits]+right))
		}
		return 0, complain("expected a size in bytes, found "+quote(text), byteSizeExamples)
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil || n > math.MaxInt64/bytes {
		return 0, complain(quote(text)+" is more bytes than can be counted", "write none for no limit")
	}
	return ByteSize(n * bytes), nil
}

// unitBytes returns the bytes of one unit, and 0 for a unit there is not.
func unitBytes(unit string) int64 {
	if unit == "" {
		return 1
	}
	for _, u := range byteUnits() {
		if u.name == unit {
			return u.bytes
		}
	}
	return 0
}

// rightUnit finds the unit that "kb", "m" or "mib" stands for, or nothing.
func rightUnit(unit string) string {
	for _, u := range byteUnits() {
		if strings.EqualFold(u.name, unit) || strings.EqualFold(u.name, unit+"iB") || strings.EqualFold(u.name, unit+"B") {
			return u.name
		}
	}
	return ""
}

// parsePrefix reads a network, or an address as a network of one.
func parsePrefix(text string) (netip.Prefix, *complaint) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, complain(quote(text)+" is not an address or a network", "write 10.0.0.0/8, 192.0.2.1 or fd00::/8")
		}
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, complain(quote(text)+" is not an address or a network", "write 10.0.0.0/8, 192.0.2.1 or fd00::/8")
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, complain(quote(text)+" has bits beyond its length", didYouMean(prefix.Masked().String()))
	}
	return prefix, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}
