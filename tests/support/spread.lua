-- Clients on different workers. The system spreads connections over the workers
-- as it likes, so they are opened until every worker has one.
local spread = {}

-- connect() returns a client (with drop or close) and a text that names its
-- worker. Returns `count` clients, each of another worker.
---@param count integer
---@param connect fun(): table, string
function spread.connect(count, connect)
  local list, seen = {}, {}
  for _ = 1, 500 do
    local client, worker = connect()
    if seen[worker] then
      client:close()
    else
      seen[worker] = true
      list[#list + 1] = client
    end
    if #list == count then return list end
  end
  error(("500 connections reached only %d of %d workers"):format(#list, count), 0)
end

return spread
