-- Decides a batch of requests, one after another, each all or nothing.
--
-- KEYS: every count that the batch touches, once.
-- ARGV[1]: the time in Unix microseconds, or "" for that of Redis. Then, a request: how many checks it has, and for each
-- the index of its key, its spec (letter, shadow, limit, period, burst, buckets; periods in microseconds), and its hits, or the
-- lease that concurrency lends (c) or takes back (r, whose numbers mean nothing). Hits of 0, and a lease of "", look and take
-- nothing. Hits below 0 are given back, for which there always is room, and never more than was taken.
--
-- Returns three integers a check, in the order of ARGV: what remains, microseconds until the same request has room (0 where
-- it has), microseconds until the count is as if nothing had happened.
--
-- A state is read once and written once, however many requests of the batch share it, and expires when it is worth nothing.

-- Time is counted from 2026: smaller numbers leave a double more digits for fractions of a microsecond.
local EPOCH = 1767225600000000
local now
-- A caller with a clock of its own replays; its states must not expire by the clock of Redis in between.
local extra_ttl = 0
if ARGV[1] == "" then
  local time = redis.call("TIME")
  now = time[1] * 1000000 + time[2] - EPOCH
else
  now = tonumber(ARGV[1]) - EPOCH
  extra_ttl = 3600000
end

local ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
-- States are doubles as they are: written as text they cost more than all the rest of a decision.
local pack_double, unpack_double = struct.pack, struct.unpack
-- Rounding must not refuse the last hit of a burst; half a microsecond lets nobody in early.
local SLACK = 0.5

local algorithms = {}

-- GCRA (ITU-T I.371, the virtual scheduling algorithm): the state is the theoretical arrival time of the next hit.
algorithms.g = {
  read = function(raw) return { tat = raw and unpack_double("<d", raw) or 0 } end,
  look = function(state, spec, hits)
    local step = spec.period / spec.limit
    local tat = max(state.tat, now)
    local room = spec.burst * step - (tat - now)
    local wait = hits * step - room
    return wait <= SLACK, floor(max(0, room) / step + 1e-6), wait, tat - now
  end,
  take = function(state, spec, hits)
    state.tat = max(state.tat, now) + hits * spec.period / spec.limit
    return state.tat - now
  end,
  give_back = function(state, spec, hits)
    state.tat = max(now, state.tat - hits * spec.period / spec.limit)
  end,
  write = function(state) return pack_double("<d", state.tat), state.tat - now end,
}

-- Token bucket: tokens, fractions included, and when they were counted.
local function refill(state, spec)
  local elapsed = max(0, now - state.at)
  state.tokens = min(spec.burst, (state.tokens or spec.burst) + elapsed * spec.limit / spec.period)
  state.at = max(state.at, now)
end
algorithms.t = {
  read = function(raw)
    if not raw then return { at = now } end
    local tokens, at = unpack_double("<dd", raw)
    return { tokens = tokens, at = at }
  end,
  look = function(state, spec, hits)
    refill(state, spec)
    local step = spec.period / spec.limit
    local missing = hits - state.tokens
    return missing * step <= SLACK, floor(state.tokens + 1e-6), missing * step, (spec.burst - state.tokens) * step
  end,
  take = function(state, spec, hits)
    state.tokens = max(0, state.tokens - hits)
    return (spec.burst - state.tokens) * spec.period / spec.limit
  end,
  give_back = function(state, spec, hits)
    state.tokens = min(spec.burst, state.tokens + hits)
  end,
  write = function(state, spec)
    local empty = (spec.burst - state.tokens) * spec.period / spec.limit
    return pack_double("<dd", state.tokens, state.at), empty
  end,
}

-- Fixed window: the window's number, and its count.
algorithms.f = {
  read = function(raw)
    if not raw then return { window = 0, count = 0 } end
    local window, count = unpack_double("<dd", raw)
    return { window = window, count = count }
  end,
  look = function(state, spec, hits)
    local window = floor((now + EPOCH) / spec.period)
    -- A clock that was set back does not open a window again.
    if window > state.window then state.window, state.count = window, 0 end
    local rest = (state.window + 1) * spec.period - EPOCH - now
    return state.count + hits <= spec.limit, max(0, spec.limit - state.count), rest, rest
  end,
  take = function(state, spec, hits)
    state.count = state.count + hits
    return (state.window + 1) * spec.period - EPOCH - now
  end,
  give_back = function(state, _, hits)
    state.count = max(0, state.count - hits)
  end,
  write = function(state, spec)
    return pack_double("<dd", state.window, state.count), (state.window + 1) * spec.period - EPOCH - now
  end,
}

-- Sliding window of `buckets` parts and the one that is leaving: together they cover every period that ends now, so no
-- period ever holds more than the limit. counts[1] is the newest part.
local function slide(state, width, buckets)
  local newest = max(state.newest, floor(now / width))
  local steps = newest - state.newest
  if steps > 0 then
    local counts, sum = {}, 0
    for part = 1, buckets + 1 do
      counts[part] = state.counts[part - steps] or 0
      sum = sum + counts[part]
    end
    state.counts, state.sum, state.newest = counts, sum, newest
  end
end
algorithms.s = {
  read = function(raw)
    if not raw then return { newest = -1, counts = {}, sum = 0 } end
    local stored = cmsgpack.unpack(raw)
    local sum = 0
    for part = 2, #stored do sum = sum + stored[part] end
    return { newest = table.remove(stored, 1), counts = stored, sum = sum }
  end,
  look = function(state, spec, hits)
    local width = ceil(spec.period / spec.buckets)
    slide(state, width, spec.buckets)
    local oldest_part = spec.buckets + 1
    local reset, wait, left = 0, 0, state.sum
    for part = oldest_part, 1, -1 do
      local count = state.counts[part] or 0
      if count > 0 then
        -- A part leaves when the newest is `oldest_part` parts after it.
        local leaves = (state.newest - part + 1 + oldest_part) * width - now
        if left + hits > spec.limit then wait = leaves end
        left, reset = left - count, leaves
      end
    end
    return state.sum + hits <= spec.limit, max(0, spec.limit - state.sum), wait, reset
  end,
  take = function(state, spec, hits)
    state.counts[1] = (state.counts[1] or 0) + hits
    state.sum = state.sum + hits
    return (state.newest + spec.buckets + 1) * ceil(spec.period / spec.buckets) - now
  end,
  -- Nobody tells when it was taken. If not in the oldest part that has any, this errs on the side of refusing.
  give_back = function(state, spec, hits)
    for part = spec.buckets + 1, 1, -1 do
      local given = min(hits, state.counts[part] or 0)
      if given > 0 then state.counts[part] = state.counts[part] - given end
      state.sum, hits = state.sum - given, hits - given
    end
  end,
  write = function(state, spec)
    local last = 1
    for part = 1, spec.buckets + 1 do
      if (state.counts[part] or 0) > 0 then last = part end
    end
    local stored = { state.newest }
    for part = 1, last do stored[part + 1] = state.counts[part] or 0 end
    return cmsgpack.pack(stored), (state.newest + spec.buckets + 1) * ceil(spec.period / spec.buckets) - now
  end,
}

-- Concurrency: leases by the time at which they end. Not a string, so it is neither cached nor written at the end.
local function concurrency_look(key, spec, lease)
  if spec.takes_back then return true, 0, 0, 0 end
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
  local held = redis.call("ZCARD", key)
  local remaining = max(0, spec.limit - held)
  if lease == "" or held + 1 <= spec.limit or redis.call("ZSCORE", key, lease) then
    return true, remaining, 0, 0
  end
  local first = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")
  return false, remaining, first[2] - now, first[2] - now
end
-- An end may overtake its stream's own question: by another process of the service, or another connection, while the one that
-- has the question is held up. Such an end is kept for so long, in the hash tag's slot, and the question then takes nothing. So
-- is the end of a stream that was refused, which nothing tells from it: of one count not more than so many, the last ones.
local END_KEPT_MS = 10000
local MOST_ENDS = 500
local function concurrency_take(key, spec, lease)
  local ended = key .. ":ended"
  if spec.takes_back then
    if redis.call("ZREM", key, lease) == 1 then return end
    redis.call("ZADD", ended, now, lease)
    redis.call("ZREMRANGEBYRANK", ended, 0, -MOST_ENDS - 1)
    redis.call("PEXPIRE", ended, END_KEPT_MS + extra_ttl)
  elseif redis.call("ZREM", ended, lease) == 0 then
    redis.call("ZADD", key, string.format("%.17g", now + spec.period), lease)
    redis.call("PEXPIRE", key, ceil(spec.period / 1000) + 1 + extra_ttl)
  end
end

local specs = {}
local function spec_of(text)
  local spec = specs[text]
  if spec then return spec end
  local letter, shadow, limit, period, burst, buckets =
    string.match(text, "^(%a) (%d) (%S+) (%S+) (%S+) (%S+)$")
  spec = {
    algorithm = algorithms[letter],
    takes_back = letter == "r",
    shadow = shadow == "1",
    limit = tonumber(limit),
    period = tonumber(period),
    burst = tonumber(burst),
    buckets = tonumber(buckets),
  }
  specs[text] = spec
  return spec
end

local raws = #KEYS > 0 and redis.call("MGET", unpack(KEYS)) or {}
local states, written_as = {}, {}
local function state_of(index, algorithm)
  local state = states[index]
  if not state then
    state = algorithm.read(raws[index])
    states[index] = state
  end
  return state
end

local answer = {}
local position, argument, arguments = 0, 2, #ARGV
while argument <= arguments do
  local count = tonumber(ARGV[argument])
  local first = argument + 1
  argument = first + 3 * count
  local room_for_all = true
  for check = 0, count - 1 do
    local at, out = first + 3 * check, position + 3 * check
    local index, spec, amount = tonumber(ARGV[at]), spec_of(ARGV[at + 1]), ARGV[at + 2]
    local room, remaining, wait, reset
    if spec.algorithm then
      local hits = tonumber(amount)
      room, remaining, wait, reset = spec.algorithm.look(state_of(index, spec.algorithm), spec, hits)
      room = room or hits < 0
    else
      room, remaining, wait, reset = concurrency_look(KEYS[index], spec, amount)
    end
    if not room and not spec.shadow then room_for_all = false end
    answer[out + 1] = remaining
    answer[out + 2] = room and 0 or max(1, ceil(wait))
    answer[out + 3] = max(0, ceil(reset))
  end
  if room_for_all then
    for check = 0, count - 1 do
      local at, out = first + 3 * check, position + 3 * check
      local index, spec, amount = tonumber(ARGV[at]), spec_of(ARGV[at + 1]), ARGV[at + 2]
      local room = answer[out + 2] == 0
      if room and spec.algorithm and amount ~= "0" then
        local hits, state = tonumber(amount), state_of(index, spec.algorithm)
        local remaining, reset, _
        if hits > 0 then
          reset = spec.algorithm.take(state, spec, hits)
          remaining = answer[out + 1] - hits
        else
          spec.algorithm.give_back(state, spec, -hits)
          _, remaining, _, reset = spec.algorithm.look(state, spec, 0)
        end
        -- Less than nothing remains of a hit that the slack let in, and Envoy's field can't say so.
        answer[out + 1] = max(0, remaining)
        answer[out + 3] = max(0, ceil(reset))
        written_as[index] = spec
      elseif room and not spec.algorithm and amount ~= "" then
        concurrency_take(KEYS[index], spec, amount)
        answer[out + 1] = max(0, answer[out + 1] - 1)
      end
    end
  end
  position = position + 3 * count
end

for index, spec in pairs(written_as) do
  local text, lives = spec.algorithm.write(states[index], spec)
  redis.call("PSETEX", KEYS[index], max(1, ceil(lives / 1000)) + extra_ttl, text)
end
return answer
