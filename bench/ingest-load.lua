-- Load of `bench/ingest` for wrk: POSTs of `events` rows each, of a few different bodies, and one JSON object at the end.
local bodies = {}
local sent = 0
local pages = { 'home', 'product', 'cart', 'checkout' }
local row = '{"id":"019ab5f2-%04x-7%03x-8000-%012x","session":"s-%d","customer":"c-%d","page":"%s","product":"P%d","price":"%.2f",'
  .. '"position":%d,"referrer":"https://shop.example/category/gifts?from=mail","seen":"2025-11-24T16:00:%02d.%03dZ"}'

function init(args)
  local events = tonumber(args[1])
  wrk.headers['Authorization'] = 'Bearer ' .. (args[2] or '')
  wrk.headers['Content-Type'] = 'application/x-ndjson'
  for body = 1, 16 do
    local lines = {}
    for line = 1, events do
      lines[line] = string.format(row, body, line % 4096, math.random(1, 2 ^ 31), math.random(1, 1e9), math.random(1, 1e5),
        pages[line % 4 + 1], line % 200, math.random() * 100, line % 50, body, line % 1000)
    end
    bodies[body] = wrk.format('POST', '/streams/clicks', nil, table.concat(lines, '\n') .. '\n')
  end
end

function request()
  sent = sent + 1
  return bodies[sent % 16 + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests":%d,"failed":%d,"seconds":%.3f,"p50Ms":%.3f,"p99Ms":%.3f}\n',
    summary.requests - errors.status, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
