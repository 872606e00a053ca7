package shared

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// question is one run of a script, and its answer.
type question struct {
	script *script
	key    string
	args   [5]string
	count  int // of args

	answer [4]int64
	err    error
}

// with sets the arguments.
func (q *question) with(args ...string) { q.count = copy(q.args[:], args) }

// do asks all questions, by the scripts' names or with their whole text, and
// returns those whose script is not known there.
func do(ctx context.Context, redis rueidis.Client, questions []*question, whole bool) (unknown []*question) {
	commands := make([]rueidis.Completed, len(questions))
	for i, q := range questions {
		if args := q.args[:q.count]; whole {
			commands[i] = redis.B().Eval().Script(q.script.source).Numkeys(1).Key(q.key).Arg(args...).Build()
		} else {
			commands[i] = redis.B().Evalsha().Sha1(q.script.sum).Numkeys(1).Key(q.key).Arg(args...).Build()
		}
	}
	for i, result := range redis.DoMulti(ctx, commands...) {
		q := questions[i]
		q.answer = [4]int64{}
		numbers, err := result.AsIntSlice()
		if q.err = reason(err); err == nil && copy(q.answer[:], numbers) == 0 {
			q.err = errEmpty
		}
		var answered *rueidis.RedisError
		if errors.As(err, &answered) && answered.IsNoScript() {
			unknown = append(unknown, q)
		}
	}
	return unknown
}

// reason says what err is for an operator.
func reason(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errLate
	}
	return fmt.Errorf("cannot ask Redis: %w", err)
}

// What has become of an ask. Whoever moves it from askWaiting decides who
// releases it: the one who asked if it was answered, the lane if it was left.
const (
	askWaiting uint32 = iota
	askAnswered
	askLeft
	askAlone // nobody ever waited
)

// ask is a question that somebody may wait for. It is recycled with its channel
// and its timer: newAsk gives one, release takes it back.
type ask struct {
	question
	undo *script // takes back what an answer that came too late has taken
	kept int     // arguments that undo has in common

	home  *sync.Pool
	state atomic.Uint32
	done  chan struct{}
	timer *time.Timer
}

func (c *Client) newAsk(s *script, key string) *ask {
	a, _ := c.asks.Get().(*ask)
	if a == nil {
		a = &ask{home: &c.asks, done: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
		a.timer.Stop()
	}
	a.script, a.key, a.undo = s, key, nil
	a.state.Store(askWaiting)
	return a
}

func (a *ask) release() { a.home.Put(a) }

// undone turns a, which nobody waits for any more, into its own undoing.
func (a *ask) undone() *ask {
	a.script, a.undo = a.undo, nil
	a.args[a.kept], a.args[a.kept+1] = "-1", "0"
	a.count = a.kept + 2
	return a
}
