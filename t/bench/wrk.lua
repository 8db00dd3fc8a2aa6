-- Requests for wrk: from a file named by BENCH_REQUESTS, which holds a JSON
-- like head (method, path, headers) and bodies or headers to vary.  Formats:
--   line 1    METHOD PATH
--   line 2..  Name: value, up to an empty line
--   "body"    then each further line is a body; the text @N@ in it becomes
--             a number of its own for every request
--   "header NAME"  then each further line is a value of that header
-- At the end it prints one line, BENCH {json}.

local requests, bodies, varied = {}, {}, nil
local method, path, headers = "GET", nil, {}
local counter, step = 0, 0

function setup(thread)
    step = step + 1
    thread:set("start", (step - 1) * 100000000)
end

local function load(name)
    local file = assert(io.open(name, "r"))
    local line = file:read("*l")
    method, path = line:match("^(%S+) (%S+)$")
    for l in file:lines() do
        if l == "" then break end
        local key, value = l:match("^([^:]+): (.*)$")
        headers[key] = value
    end
    local kind = file:read("*l")
    if kind == nil then return end
    varied = kind:match("^header (.+)$")
    for l in file:lines() do
        if varied then
            headers[varied] = l
            requests[#requests + 1] = wrk.format(method, path, headers)
        elseif l:find("@N@", 1, true) then
            bodies[#bodies + 1] = { l:match("^(.-)@N@(.*)$") }
        else
            requests[#requests + 1] = wrk.format(method, path, headers, l)
        end
    end
    file:close()
end

function init(args)
    local name = os.getenv("BENCH_REQUESTS")
    if name and name ~= "" then load(name) end
    if #requests == 0 and #bodies == 0 then
        requests[1] = wrk.format(method, path, headers)
    end
    math.randomseed(os.time())
    counter = (start or 0) + math.random(1, 90000000)
end

function request()
    counter = counter + 1
    if #bodies > 0 then
        local body = bodies[counter % #bodies + 1]
        return wrk.format(method, path, headers,
                          string.format("%s%012d%s", body[1], counter,
                                        body[2]))
    end
    return requests[counter % #requests + 1]
end

function done(summary, latency, rps)
    local e = summary.errors
    local failed = e.connect + e.read + e.write + e.status + e.timeout
    print(string.format(
        'BENCH {"requests":%d,"seconds":%.6f,"rate":%.2f,"failed":%d,' ..
        '"p50_ms":%.3f,"p90_ms":%.3f,"p99_ms":%.3f}',
        summary.requests, summary.duration / 1e6,
        summary.requests / (summary.duration / 1e6), failed,
        latency:percentile(50) / 1000, latency:percentile(90) / 1000,
        latency:percentile(99) / 1000))
end
