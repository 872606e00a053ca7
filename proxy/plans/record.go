package plans

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"time"

	"weir/ratelimit"
)

// Buckets of the file.
const (
	inMeta    = "meta"
	inKeys    = "keys"    // id → keyRecord
	inPlans   = "plans"   // id → Plan
	inMembers = "members" // plan, 0, key → nothing
	inUses    = "uses"    // plan, 0, key → the words of a use
	inDays    = "days"    // plan, 0, key, 0, day → a dayUse

	versionKey      = "version"
	installationKey = "installation"
	version         = "1"
)

// keyRecord is a key as it is kept.
type keyRecord struct {
	Key    Key
	Values []valueRecord
}

type valueRecord struct {
	Digest  []byte
	Version uint64
	Until   int64 // in Unix nanoseconds; 0 for no end
}

func putKey(k Key, values []*credential) put {
	r := keyRecord{Key: k}
	r.Key.FormerUntil = time.Time{}
	for _, c := range values {
		r.Values = append(r.Values, valueRecord{c.digest[:], c.version, c.until})
	}
	return put{inKeys, k.ID, encode(r)}
}

func putPlan(p Plan) put { return put{inPlans, p.ID, encode(p)} }

func putMember(plan, key string) put { return put{inMembers, memberKey(plan, key), []byte{}} }

func memberKey(plan, key string) string { return plan + "\x00" + key }

func encode(record any) []byte {
	b, err := json.Marshal(record)
	if err != nil {
		panic("BUG: a record that has no JSON: " + err.Error())
	}
	return b
}

// installation tells whether a database was written with this secret.
func (s *secret) installation() []byte { return s.derive("weir installation") }

// seal appends a checksum to what is kept: bbolt has none over its records.
func seal(bucket, key string, value []byte) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(nil), value...), checksum(bucket, key, value))
}

// unseal returns what was sealed, if it is what it was.
func unseal(bucket, key string, sealed []byte) (value []byte, ok bool) {
	n := len(sealed) - 4
	if n < 0 {
		return nil, false
	}
	return sealed[:n], binary.BigEndian.Uint32(sealed[n:]) == checksum(bucket, key, sealed[:n])
}

func checksum(bucket, key string, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, []byte(bucket))
	sum = crc32.Update(sum, table, []byte(key))
	return crc32.Update(sum, table, value)
}

// useRecord is a use as it is kept.
type useRecord struct {
	start uint16 // of the period that the quota counts
	used  int64
	today uint64
	first uint32
	ended []dayUse
}

// snapshot returns what of u is to be kept now.
func (u *use) snapshot() useRecord {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	start, used := u.quota.Load()
	return useRecord{dayOf(start), used, u.today.word.Load(), u.first.Load(), append([]dayUse(nil), u.ended...)}
}

// puts appends the records of r.
func (u *use) puts(to []put, r useRecord) []put {
	value := binary.BigEndian.AppendUint16(nil, r.start)
	value = binary.BigEndian.AppendUint64(value, uint64(r.used))
	value = binary.BigEndian.AppendUint64(value, r.today)
	value = binary.BigEndian.AppendUint32(value, r.first)
	to = append(to, put{inUses, memberKey(u.plan, u.key), value})
	for _, d := range r.ended {
		to = append(to, put{inDays, dayKey(u.plan, u.key, d.day), d.encode()})
	}
	return to
}

func (u *use) decode(value []byte) bool {
	if len(value) != 2+8+8+4 {
		return false
	}
	// The day is that of a period already, of whatever length.
	u.quota.Restore(midnight(binary.BigEndian.Uint16(value)), int64(binary.BigEndian.Uint64(value[2:])), ratelimit.Day)
	u.today.word.Store(binary.BigEndian.Uint64(value[10:]))
	u.first.Store(binary.BigEndian.Uint32(value[18:]))
	return true
}

func dayKey(plan, key string, day uint16) string {
	return string(binary.BigEndian.AppendUint16([]byte(memberKey(plan, key)+"\x00"), day))
}

func (d dayUse) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(d.used)), uint64(d.remaining))
}

func decodeDay(day uint16, value []byte) (dayUse, bool) {
	if len(value) != 16 {
		return dayUse{}, false
	}
	return dayUse{day, int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint64(value[8:]))}, true
}
