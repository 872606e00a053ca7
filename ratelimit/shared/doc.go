// Package shared keeps limits and quotas that several nodes have in common, in
// Redis or Valkey: exactly, with one question a request, or fast, with credit
// that is taken ahead. It says what happens while Redis is away.
package shared
