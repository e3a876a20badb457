-- Line plots as SVG, both axes logarithmic.
local plot = {}

local WIDTH, HEIGHT = 720, 420
local LEFT, RIGHT, TOP, BOTTOM = 70, 120, 40, 50
local COLOURS = { ["raw epoll"] = "#777", Tidegate = "#06c", Nchan = "#c60", ["node ws"] = "#393" }

local function scale(low, high, from, to)
  local base, span = math.log(low), math.log(high) - math.log(low)
  return function(value) return from + (math.log(value) - base) / span * (to - from) end
end

local function bounds(series)
  local low_x, high_x, low_y, high_y = math.huge, 0, math.huge, 0
  for _, one in ipairs(series) do
    for _, point in ipairs(one.points) do
      low_x, high_x = math.min(low_x, point[1]), math.max(high_x, point[1])
      low_y, high_y = math.min(low_y, point[2]), math.max(high_y, point[2])
    end
  end
  return low_x, high_x, low_y / 1.3, high_y * 1.3
end

local function label(value) return ("%g"):format(value) end

-- 1, 2, 5, 10, ... within the bounds.
local function ticks(low, high)
  local list, step = {}, 10 ^ math.floor(math.log(low, 10))
  while step <= high do
    for _, digit in ipairs { 1, 2, 5 } do
      local value = step * digit
      if value >= low and value <= high then list[#list + 1] = value end
    end
    step = step * 10
  end
  return list
end

local function text(x, y, what, more)
  return ('<text x="%.1f" y="%.1f" %s>%s</text>\n'):format(x, y, more or "", what)
end

local function axes(x, y, low_x, high_x, low_y, high_y)
  local out = {}
  for _, value in ipairs(ticks(low_x, high_x)) do
    out[#out + 1] = text(x(value), HEIGHT - BOTTOM + 18, label(value), 'text-anchor="middle"')
  end
  for _, value in ipairs(ticks(low_y, high_y)) do
    out[#out + 1] = ('<path d="M%d %.1fH%d" stroke="#ddd"/>\n'):format(LEFT, y(value), WIDTH - RIGHT)
    out[#out + 1] = text(LEFT - 8, y(value) + 4, label(value), 'text-anchor="end"')
  end
  return table.concat(out)
end

local function line(one, x, y)
  local path, out = {}, {}
  local colour = COLOURS[one.label] or "#939"
  for i, point in ipairs(one.points) do
    path[i] = ("%s%.1f %.1f"):format(i == 1 and "M" or "L", x(point[1]), y(point[2]))
    out[#out + 1] = ('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>\n'):format(x(point[1]), y(point[2]), colour)
  end
  local last = one.points[#one.points]
  out[#out + 1] = ('<path d="%s" fill="none" stroke="%s" stroke-width="2"/>\n'):format(table.concat(path), colour)
  out[#out + 1] = text(x(last[1]) + 8, y(last[2]) + 4, one.label, ('fill="%s"'):format(colour))
  return table.concat(out)
end

-- series: { { label, points = { { x, y }, ... } }, ... }
---@param titles table  { title, x, y }
---@param series table
---@return string
function plot.svg(titles, series)
  local low_x, high_x, low_y, high_y = bounds(series)
  local x = scale(low_x, high_x, LEFT, WIDTH - RIGHT)
  local y = scale(low_y, high_y, HEIGHT - BOTTOM, TOP)
  local parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">\n')
      :format(WIDTH, HEIGHT),
    '<rect width="100%" height="100%" fill="#fff"/>\n',
    text(LEFT, 22, titles.title, 'font-size="15"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, titles.x, 'text-anchor="middle"'),
    text(-(TOP + HEIGHT - BOTTOM) / 2, 18, titles.y, 'text-anchor="middle" transform="rotate(-90)"'),
    axes(x, y, low_x, high_x, low_y, high_y),
  }
  for _, one in ipairs(series) do parts[#parts + 1] = line(one, x, y) end
  parts[#parts + 1] = "</svg>\n"
  return table.concat(parts)
end

return plot
