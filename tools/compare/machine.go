package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// machineLine says where and when the figures were taken.
func machineLine() string {
	kernel := runtime.GOOS
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(release))
	}
	info, _ := os.ReadFile("/proc/cpuinfo") // absent outside Linux
	return fmt.Sprintf("%s, %d processors, %s, %s", processorName(info), runtime.NumCPU(), kernel,
		time.Now().Format("2006-01-02 15:04"))
}

func processorName(cpuinfo []byte) string {
	for line := range bytes.Lines(cpuinfo) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return runtime.GOARCH
}

// versionOf asks the program, and where it does not know looks at what Go wrote into the binary.
func versionOf(program string, arguments ...string) string {
	said, _ := exec.Command(program, arguments...).CombinedOutput() // a program may not know the flag
	if version := findVersion(string(said)); version != "" {
		return version
	}
	if info, err := buildinfo.ReadFile(program); err == nil && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	words := strings.Fields(string(said))
	if len(words) == 0 {
		return "of unknown version"
	}
	return words[len(words)-1]
}

// findVersion returns the first thing that looks like a version, or nothing.
func findVersion(said string) string {
	return regexp.MustCompile(`\bv?\d+\.\d+(\.\d+)?[-+.\w]*`).FindString(said)
}
