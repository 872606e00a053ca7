package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// procfs reads /proc, or a folder made like it.
type procfs struct{ root fs.FS }

func newProcfs() procfs { return procfs{root: os.DirFS("/proc")} }

// tick is the unit of processor times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat is what /proc/PID/stat tells about a process and all of its threads.
type stat struct {
	pid, parent int
	cpu         time.Duration
}

// parseStat reads one line of /proc/PID/stat, proc(5). The name in parentheses may hold spaces and parentheses.
func parseStat(line string) (stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("cannot find the name in %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 13 {
		return stat{}, fmt.Errorf("cannot find the times in %q", line)
	}
	var numbers [4]int
	for i, text := range []string{strings.TrimSpace(line[:open]), fields[1], fields[11], fields[12]} {
		n, err := strconv.Atoi(text)
		if err != nil {
			return stat{}, fmt.Errorf("cannot read %q: %w", line, err)
		}
		numbers[i] = n
	}
	return stat{pid: numbers[0], parent: numbers[1], cpu: time.Duration(numbers[2]+numbers[3]) * tick}, nil
}

// tree returns the process and everything that it started, directly or not.
func (p procfs) tree(pid int) ([]stat, error) {
	entries, err := fs.ReadDir(p.root, ".")
	if err != nil {
		return nil, err
	}
	children := map[int][]stat{}
	var found []stat
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		line, err := fs.ReadFile(p.root, path.Join(entry.Name(), "stat"))
		if err != nil {
			continue // ended since the folder was listed
		}
		s, err := parseStat(string(line))
		if err != nil {
			return nil, err
		}
		if s.pid == pid {
			found = append(found, s)
		}
		children[s.parent] = append(children[s.parent], s)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("cannot find process %d", pid)
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

// cpu is the processor time that the process and its descendants have used, in user and system mode.
func (p procfs) cpu(pid int) (time.Duration, error) {
	all, err := p.tree(pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, s := range all {
		sum += s.cpu
	}
	return sum, nil
}

// pssKiB is the memory of the process and its descendants; a page that n of them share counts 1/n in each.
func (p procfs) pssKiB(pid int) (int, error) {
	all, err := p.tree(pid)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, s := range all {
		rollup, err := fs.ReadFile(p.root, path.Join(strconv.Itoa(s.pid), "smaps_rollup"))
		if err != nil {
			return 0, fmt.Errorf("cannot read memory of process %d: %w", s.pid, err)
		}
		n, err := parsePSS(string(rollup))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func parsePSS(rollup string) (int, error) {
	for line := range strings.Lines(rollup) {
		value, isPSS := strings.CutPrefix(line, "Pss:")
		if !isPSS {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		if err != nil {
			return 0, fmt.Errorf("cannot read %q: %w", line, err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("cannot find Pss in %q", rollup)
}

// busy is the time that one processor was not idle, what the hypervisor took included.
func (p procfs) busy(cpu int) (time.Duration, error) {
	file, err := p.root.Open("stat")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 9 || fields[0] != "cpu"+strconv.Itoa(cpu) {
			continue
		}
		ticks := 0
		// user nice system idle iowait irq softirq steal: the fourth and fifth are idleness.
		for i, text := range fields[1:9] {
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, fmt.Errorf("cannot read %q: %w", lines.Text(), err)
			}
			if i != 3 && i != 4 {
				ticks += n
			}
		}
		return time.Duration(ticks) * tick, nil
	}
	return 0, fmt.Errorf("cannot find processor %d", cpu)
}
