package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster starts so many masters that share the slots evenly, and waits until
// all of them agree.
func Cluster(t testing.TB, masters int) []*Server {
	t.Helper()
	nodes := make([]*Server, masters)
	for i := range nodes {
		nodes[i] = start(t, "Ready to accept connections", func(port int) []string {
			return []string{
				"--port", strconv.Itoa(port), "--save", "", "--appendonly", "no",
				"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(port + busOffset), "--cluster-announce-ip", "127.0.0.1",
				"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no",
			}
		})
	}
	const slots = 16384
	for i, node := range nodes {
		node.Must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
		if i > 0 {
			node.Must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].Port), strconv.Itoa(nodes[0].Port+busOffset))
		}
	}
	for _, node := range nodes {
		Await(t, 20*time.Second, "the Cluster agrees", func() bool {
			return strings.Count(node.Must("CLUSTER", "SLOTS"), "127.0.0.1") == masters &&
				strings.Contains(node.Must("CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	return nodes
}

// Guarded is a master set: a master, its replica, and Sentinels that know it by Name.
type Guarded struct {
	Name            string
	Master, Replica *Server
	Sentinels       []*Server
}

// Sentinel starts a master set whose Sentinels notice within half a second that
// the master is gone, and waits until they know the replica and each other.
func Sentinel(t testing.TB, sentinels int) *Guarded {
	t.Helper()
	g := &Guarded{Name: "limits", Master: Start(t)}
	g.Replica = Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(g.Master.Port))
	conf := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d %[3]d\nsentinel down-after-milliseconds %[1]s 400\n"+
		"sentinel failover-timeout %[1]s 2000\nsentinel resolve-hostnames no\n", g.Name, g.Master.Port, sentinels/2+1)
	g.Sentinels = make([]*Server, sentinels)
	for i := range g.Sentinels {
		g.Sentinels[i] = start(t, "+monitor master", func(port int) []string {
			return []string{file(t, "sentinel.conf", conf), "--sentinel", "--port", strconv.Itoa(port)}
		})
	}
	for _, s := range g.Sentinels {
		Await(t, 20*time.Second, "the Sentinels know the master set", func() bool {
			about := s.Must("SENTINEL", "MASTER", g.Name)
			return strings.Contains(about, "num-slaves\n1\n") &&
				strings.Contains(about, fmt.Sprintf("num-other-sentinels\n%d\n", sentinels-1))
		})
	}
	Await(t, 20*time.Second, "the replica follows", func() bool {
		return strings.Contains(g.Replica.Must("INFO", "replication"), "master_link_status:up")
	})
	return g
}
