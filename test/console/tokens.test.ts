// The console's colours, pair by pair: text on the grounds where it stands needs 4.5 to 1, chart series that carry meaning 3.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { contrast, parseColour } from './contrast.ts'

const css = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../console/src/theme/tokens.css'), 'utf8')

/** Colours of the first block that follows `selector`. */
function tokensOf(selector: string): Record<string, string> {
  const start = css.indexOf(selector)
  assert.ok(start >= 0, `no block ${selector}`)
  const block = css.slice(css.indexOf('{', start), css.indexOf('}', start))
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/g)].map((match) => [match[1]!, match[2]!]))
}

const THEMES = {
  light: tokensOf(':root {'),
  dark: tokensOf(':root[data-theme="dark"]'),
  'dark by the system': tokensOf(':root:not([data-theme="light"])'),
}
const TEXT = ['text', 'text-2', 'text-3', 'accent', 'ok', 'warn', 'bad', 'idle']
const PAIRS: [text: string, ground: string][] = [
  ...TEXT.flatMap((text): [string, string][] => ['bg', 'bg-raised', 'bg-sunken'].map((ground) => [text, ground])),
  ...['text', 'text-2'].map((text): [string, string] => [text, 'bg-selected']),
  ...['text', 'text-2', 'text-3'].map((text): [string, string] => [text, 'bg-hover']),
  ...['text-2', 'text-3'].map((text): [string, string] => [text, 'bg-band']),
  ...['ok', 'warn', 'bad', 'idle'].flatMap((tone): [string, string][] => [
    [tone, `${tone}-soft`],
    ['text', `${tone}-soft`],
    ['text-2', `${tone}-soft`],
  ]),
  ['accent', 'accent-soft'],
  ['text', 'accent-soft'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-hover'],
  ...['code-key', 'code-str', 'code-num', 'code-com', 'code-fn'].map((code): [string, string] => [code, 'bg-sunken']),
  ['chart-axis', 'bg-raised'],
]
const SERIES: [series: string, ground: string][] = ['chart-1', 'chart-2', 'ok', 'warn', 'bad'].map((series) => [series, 'bg-raised'])

for (const [theme, tokens] of Object.entries(THEMES))
  test(`${theme}: every pair of text and ground reaches 4.5, every series 3`, () => {
    assert.ok(Object.keys(tokens).length > 35, `saw only ${Object.keys(tokens).length} colours`)
    const ratio = (one: string, ground: string): number => {
      assert.ok(tokens[one] && tokens[ground], `${one} or ${ground} is no colour`)
      return contrast(parseColour(tokens[one]!)!, parseColour(tokens[ground]!)!)
    }
    for (const [text, ground] of PAIRS) assert.ok(ratio(text, ground) >= 4.5, `${text} on ${ground}: ${ratio(text, ground).toFixed(2)}`)
    for (const [series, ground] of SERIES)
      assert.ok(ratio(series, ground) >= 3, `${series} on ${ground}: ${ratio(series, ground).toFixed(2)}`)
  })

test('the two dark blocks are the same', () => {
  assert.deepEqual(THEMES.dark, THEMES['dark by the system'])
})
