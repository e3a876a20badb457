-- The commands of a shell text, for documents that show them. Pure: knows quotes,
-- comments, continued lines and what separates commands; expands nothing.

local shell = {}

-- What a character or quote at `at` adds to a word, and where it ends; nil when it ends the word.
local function read_piece(text, at)
  local mark = text:sub(at, at)
  if mark == "'" or mark == '"' then
    local close = text:find(mark, at + 1, true) or #text + 1
    return text:sub(at + 1, close - 1), close
  end
  if mark == "\\" and text:sub(at + 1, at + 1) ~= "\n" then return text:sub(at + 1, at + 1), at + 1 end
  if mark:find "[^%s\\|&;()]" then return mark, at end
end

-- The commands of a text, each an array of words without their quotes. Commands end at line ends and at | & ; ( and ).
---@param text string
---@return string[][]
function shell.commands(text)
  local commands, words, word, at = {}, {}, nil, 1
  local function end_word()
    words[#words + 1] = word
    word = nil
  end
  while at <= #text do
    local mark = text:sub(at, at)
    if mark == "#" and not word then at = text:find("\n", at, true) or #text + 1 end
    local piece, last = read_piece(text, at)
    if piece then
      word, at = (word or "") .. piece, last
    else
      end_word()
      if text:find("^\\\n", at) then
        at = at + 1
      elseif text:find("^[\n|&;()]", at) and #words > 0 then
        commands[#commands + 1], words = words, {}
      end
    end
    at = at + 1
  end
  end_word()
  if #words > 0 then commands[#commands + 1] = words end
  return commands
end

return shell
