package plans

// file is the database that outlives the process.
type file struct{}

// put is a record to be kept, or with a nil value to be taken out.
type put struct {
	bucket, key string
	value       []byte
}

// commit keeps the records, all or none.
func (f *file) commit(puts []put) error { return nil }
