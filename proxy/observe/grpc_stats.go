package observe

import (
	"strconv"
	"sync/atomic"
)

// GRPCStatus is how a gRPC call ended. The zero value is a request that was no
// call.
type GRPCStatus uint8

const (
	grpcCodes = 17
	// NoGRPCStatus is a call whose answer had no status.
	NoGRPCStatus = GRPCStatus(grpcCodes + 1)
	grpcEnds     = grpcCodes + 1
)

// GRPCStatusOf returns the end with a code; what is no code is UNKNOWN.
func GRPCStatusOf(code uint8) GRPCStatus {
	if code >= grpcCodes {
		code = 2
	}
	return GRPCStatus(code + 1)
}

// code tells the code of a call that had one.
func (s GRPCStatus) code() (int, bool) { return int(s) - 1, s > 0 && s < NoGRPCStatus }

func (s GRPCStatus) isFailure() bool { return s > GRPCStatusOf(0) }

func (s GRPCStatus) append(dst []byte) []byte {
	if code, ok := s.code(); ok {
		return strconv.AppendInt(dst, int64(code), 10)
	}
	return dst
}

// grpcLabel is the label grpc_status of the i-th end.
func grpcLabel(i int) string {
	if i == grpcCodes {
		return "none"
	}
	return strconv.Itoa(i)
}

// callCell is one shard's part of the calls, padded as routeCell is.
type callCell struct {
	ends [grpcEnds]atomic.Uint64
	_    [64]byte
}

// ObserveCall counts a gRPC call. It allocates nothing but the counters at the
// first call.
func (s *RouteStats) ObserveCall(shard int, status GRPCStatus) {
	if status == 0 {
		return
	}
	cells := s.calls.Load()
	if cells == nil {
		made := make([]callCell, len(s.cells))
		s.calls.CompareAndSwap(nil, &made)
		cells = s.calls.Load()
	}
	if uint(shard) >= uint(len(*cells)) {
		shard = 0
	}
	(*cells)[shard].ends[min(status-1, grpcEnds-1)].Add(1)
}

// callTotals adds up the shards; it reports false where nobody called.
func (s *RouteStats) callTotals(t *[grpcEnds]uint64) bool {
	cells := s.calls.Load()
	if cells == nil {
		return false
	}
	*t = [grpcEnds]uint64{}
	for i := range *cells {
		for end := range t {
			t[end] += (*cells)[i].ends[end].Load()
		}
	}
	return true
}
