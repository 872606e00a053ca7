package shared

import (
	"crypto/sha1"
	"encoding/hex"
)

// script is one Lua script and the name that servers know it by.
type script struct{ source, sum string }

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source))
	return &script{source: source, sum: hex.EncodeToString(sum[:])}
}

// scripts are all that weir asks of Redis. Each touches one key, so that every
// node of a Cluster can run them.
type scripts struct{ take, lease, spend, settle, nodes, probe *script }

func newScripts() scripts {
	return scripts{
		take:   newScript(bucketLua + takeLua),
		lease:  newScript(bucketLua + leaseLua),
		spend:  newScript(spendLua),
		settle: newScript(settleLua),
		nodes:  newScript(nodesLua),
		probe:  newScript(probeLua),
	}
}

// bucketLua reads a GCRA bucket into ahead: how many nanoseconds it is from full.
// ARGV: every, burst, the longest delay that anybody is given.
const bucketLua = `
local every, burst, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local span = every * burst
local time = redis.call('TIME')
local second, nano = tonumber(time[1]), tonumber(time[2]) * 1000
-- Doubles cannot hold nanoseconds since 1970: the arrival time is kept as digits,
-- seconds before the last nine, and computed with as a distance from now.
local ahead = 0
local function store()
  if ahead <= 0 then
    redis.call('DEL', KEYS[1])
    return
  end
  local later = math.floor((nano + ahead) / 1e9)
  redis.call('SET', KEYS[1], string.format('%d%09d', second + later, nano + ahead - later * 1e9),
    'PX', string.format('%d', math.ceil(ahead / 1e6) + 1))
end
local stored = redis.call('GET', KEYS[1]) or ''
local whole, rest = tonumber(string.sub(stored, 1, -10)), tonumber(string.sub(stored, -9))
if whole and rest then
  ahead = math.max(0, (whole - second) * 1e9 + (rest - nano))
  if ahead > span + longest then -- a clock was set back, or the rate has changed
    ahead = span + longest
    store()
  end
end
`

// takeLua takes one token, if it comes within the delay.
// ARGV[4]: delay. Returns whether, the wait, what is left, until when it is full.
const takeLua = `
local wait = ahead + every - span
if wait > tonumber(ARGV[4]) then
  return {0, wait, 0, ahead}
end
ahead = ahead + every
store()
if wait > 0 then
  return {1, wait, 0, ahead}
end
return {1, 0, math.floor((span - ahead) / every), ahead}
`

// leaseLua first takes what is owed, whether it is there or not, or gives back
// if that is negative; then takes as much of what is wanted as there is.
// ARGV[4]: owed. ARGV[5]: wanted. Returns what was taken of it, what is left,
// until when it is full.
const leaseLua = `
local owed, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
ahead = math.max(0, ahead + owed * every)
local there = math.max(0, math.floor((span - ahead) / every))
local granted = math.min(wanted, there)
ahead = ahead + granted * every
if owed ~= 0 or granted > 0 then
  store()
end
return {granted, there - granted, ahead}
`

// spendLua counts one request of a quota, if there is one left.
// ARGV: limit, when the counter may be forgotten. Returns whether, what was used.
const spendLua = `
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
if used >= tonumber(ARGV[1]) then
  return {0, used}
end
used = redis.call('INCR', KEYS[1])
if used == 1 then
  redis.call('PEXPIREAT', KEYS[1], ARGV[2])
end
return {1, used}
`

// settleLua adds what is owed to a quota's counter, whether it is there or not,
// or takes it off if that is negative; then counts as much of what is wanted as is left.
// ARGV: limit, when the counter may be forgotten, owed, wanted. Returns what was
// counted of it, what was used.
const settleLua = `
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
local owed, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local granted = math.max(0, math.min(wanted, tonumber(ARGV[1]) - math.max(0, used + owed)))
local change = math.max(owed + granted, -used)
if change ~= 0 then
  used = redis.call('INCRBY', KEYS[1], string.format('%d', change))
  redis.call('PEXPIREAT', KEYS[1], ARGV[2])
end
return {granted, used}
`

// nodesLua says that this node is there, or is no more, and counts all that are.
// ARGV: the node, for how many milliseconds it is there.
const nodesLua = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stay = tonumber(ARGV[2])
if stay > 0 then
  redis.call('ZADD', KEYS[1], now + stay, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], stay * 2)
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%d', now))
return {redis.call('ZCARD', KEYS[1])}
`

// probeLua does what the others do: it tells the time and writes.
const probeLua = `
redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000)
return {1}
`
