package plans

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// NewKey says what CreateKey makes. Without a value one is made.
type NewKey struct {
	Name, Description, CustomerID, Value string

	Enabled bool
	Tags    map[string]string
}

// CreateKey makes a key and returns its value, which nobody can ask for again.
func (s *Store) CreateKey(n NewKey) (Issued, error) {
	s.change.Lock()
	defer s.change.Unlock()
	i, value, err := s.newIdentity(n, MinValue)
	if err != nil {
		return Issued{}, err
	}
	if err := s.file.commit([]put{putKey(i.key, i.credentials())}); err != nil {
		return Issued{}, err
	}
	s.state.Lock()
	s.keys[i.id] = i
	s.state.Unlock()
	s.index(nil, []*Identity{i})
	return s.issued(i, value), nil
}

// newIdentity makes a key that nobody knows yet. The caller holds change.
func (s *Store) newIdentity(n NewKey, least int) (*Identity, string, error) {
	if n.Value == "" {
		n.Value = random(alphanumeric, newValue)
	}
	if err := checkValue(n.Value, least); err != nil {
		return nil, "", err
	}
	d := s.secret.digest([]byte(n.Value))
	if c := s.credentials.find(&d); c != nil {
		return nil, "", refuse(ErrConflict, "API key %q has this value already", c.identity.id)
	}
	now := s.now().UTC().Truncate(time.Second)
	i := &Identity{key: Key{
		Name: n.Name, Description: n.Description, CustomerID: n.CustomerID,
		Enabled: n.Enabled, Created: now, Updated: now, Tags: maps.Clone(n.Tags),
	}}
	if err := i.key.check(); err != nil {
		return nil, "", err
	}
	for i.id == "" || s.keys[i.id] != nil {
		i.id = random(lower, idLength)
	}
	i.key.ID = i.id
	i.enabled.Store(n.Enabled)
	i.setCredentials(&credential{digest: d, identity: i, version: 1})
	return i, n.Value, nil
}

func (s *Store) issued(i *Identity, value string) Issued {
	return Issued{Key: s.shown(i), Value: value, SigningSecret: showSecret(s.secret.signing(i.id, i.credentials()[0].version))}
}

func (k *Key) check() error {
	if len(k.Name) > maxName {
		return invalid("name", "it has %d characters; at most %d are allowed", len(k.Name), maxName)
	}
	return nil
}

// shown returns the key as operators see it. The caller holds state or change.
func (s *Store) shown(i *Identity) Key {
	k := i.key.clone()
	if values := i.credentials(); len(values) > 1 {
		if until := values[1].until; until > s.now().UnixNano() {
			k.FormerUntil = time.Unix(0, until).UTC()
		}
	}
	return k
}

// Key returns the key with this id.
func (s *Store) Key(id string) (Key, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	i := s.keys[id]
	if i == nil {
		return Key{}, noKey(id)
	}
	return s.shown(i), nil
}

// Keys returns a page of the keys that f wants, by their ids, and the position
// of the next one, which is "" at the end.
func (s *Store) Keys(f KeyFilter, page Page) (keys []Key, next string, err error) {
	s.state.RLock()
	defer s.state.RUnlock()
	var ids []string
	for id, i := range s.keys {
		if f.wants(&i.key) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next, err = page.slice(ids)
	for _, id := range ids {
		keys = append(keys, s.shown(s.keys[id]))
	}
	return keys, next, err
}

func (f KeyFilter) wants(k *Key) bool {
	return strings.HasPrefix(k.Name, f.NamePrefix) && (f.CustomerID == "" || f.CustomerID == k.CustomerID)
}

// FindKey returns the key that value is one of: so that what holds values, as a
// list of them does, can be compared with what is here.
func (s *Store) FindKey(value string) (Key, error) {
	if i, _ := s.Identify([]byte(value)); i != nil {
		return s.Key(i.id)
	}
	return Key{}, refuse(ErrNotFound, "no API key has this value")
}

// UpdateKey changes name, description, customer, tags or whether the key is
// enabled, by a function that gets a copy. What else it changes is left.
func (s *Store) UpdateKey(id string, change func(*Key) error) (Key, error) {
	s.change.Lock()
	defer s.change.Unlock()
	i, err := s.changeable(id)
	if err != nil {
		return Key{}, err
	}
	next := i.key.clone()
	if err := change(&next); err != nil {
		return Key{}, err
	}
	next.ID, next.Created, next.Static = i.key.ID, i.key.Created, false
	next.Updated, next.FormerUntil = s.now().UTC().Truncate(time.Second), time.Time{}
	next = next.clone()
	if err := next.check(); err != nil {
		return Key{}, err
	}
	if err := s.file.commit([]put{putKey(next, i.credentials())}); err != nil {
		return Key{}, err
	}
	s.state.Lock()
	defer s.state.Unlock()
	i.key = next
	i.enabled.Store(next.Enabled)
	return s.shown(i), nil
}

// changeable returns a key that does not stand in the document. The caller
// holds change.
func (s *Store) changeable(id string) (*Identity, error) {
	i := s.keys[id]
	switch {
	case i == nil:
		return nil, noKey(id)
	case i.key.Static:
		return nil, refuse(ErrStatic, "API key %q (%s) stands in the document, and is changed there", id, i.key.Name)
	}
	return i, nil
}

// DeleteKey ends a key, its values and its memberships. What it used stays in
// the usage of its plans.
func (s *Store) DeleteKey(id string) error {
	s.change.Lock()
	defer s.change.Unlock()
	i, err := s.changeable(id)
	if err != nil {
		return err
	}
	puts := []put{{inKeys, id, nil}}
	for plan := range s.joined {
		if s.joined.has(plan, id) {
			puts = append(puts, put{inMembers, memberKey(plan, id), nil})
		}
	}
	if err := s.file.commit(puts); err != nil {
		return err
	}
	s.index([]*Identity{i}, nil)
	s.state.Lock()
	defer s.state.Unlock()
	i.enabled.Store(false)
	delete(s.keys, id)
	for plan := range s.joined {
		s.joined.remove(plan, id)
	}
	for _, p := range s.plans {
		delete(p.members, id)
	}
	i.plans.Store(nil)
	return nil
}

// Rotate gives the key a new value, which is made where newValue is "". The one
// before is good until overlap has passed; one before that ends at once.
func (s *Store) Rotate(id string, overlap time.Duration, newValue string) (Issued, error) {
	s.change.Lock()
	defer s.change.Unlock()
	i, err := s.changeable(id)
	if err != nil {
		return Issued{}, err
	}
	if overlap < 0 || overlap > MaxOverlap {
		return Issued{}, invalid("overlap", "%s is not in 0 to %s", overlap, MaxOverlap)
	}
	key := i.key
	next, value, err := s.newIdentity(NewKey{Name: key.Name, Value: newValue}, MinValue)
	if err != nil {
		return Issued{}, err
	}
	key.Updated = s.now().UTC().Truncate(time.Second)
	old := i.credentials()
	former := &credential{digest: old[0].digest, identity: i, version: old[0].version}
	former.until = s.now().Add(overlap).UnixNano()
	newest := &credential{digest: next.credentials()[0].digest, identity: i, version: former.version + 1}
	values := []*credential{newest, former}
	if err := s.file.commit([]put{putKey(key, values)}); err != nil {
		return Issued{}, err
	}
	s.credentials.replace(old, values)
	s.state.Lock()
	defer s.state.Unlock()
	i.key = key
	i.setCredentials(values...)
	return s.issued(i, value), nil
}

// MaxOverlap is the longest that two values of a key are good.
const MaxOverlap = 366 * 24 * time.Hour

// SigningSecrets returns the secrets that sign requests of a key now, the
// newest first: one for each of its values that are good.
func (s *Store) SigningSecrets(id string) ([][]byte, bool) {
	i, _ := s.IdentifyID([]byte(id))
	if i == nil {
		_ = s.secret.signing(id, 0) // the time must not tell which ids there are
		return nil, false
	}
	var secrets [][]byte
	for _, c := range i.credentials() {
		if !c.expired(s.now()) {
			secrets = append(secrets, s.secret.signing(id, c.version))
		}
	}
	return secrets, len(secrets) > 0
}
