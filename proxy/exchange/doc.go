// Package exchange holds one request and its answer: all that a step of the
// way may see. It knows no protocol. A front end fills the
// request in, the steps of the way work on it and set the answer, and the
// front end sends that. So a step never learns which protocol it serves.
package exchange
