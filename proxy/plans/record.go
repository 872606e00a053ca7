package plans

import (
	"encoding/json"
	"time"
)

// Buckets of the file.
const (
	inKeys    = "keys"    // id → keyRecord
	inPlans   = "plans"   // id → Plan
	inMembers = "members" // plan, 0, key → nothing
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
		r.Values = append(r.Values, valueRecord{c.digest[:], c.version, c.until.Load()})
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
