// House rules as a test: ranks of folders, bans, opening comments, error codes, documents that stay true. It counts what
// it saw, so it can never pass on nothing.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ERRORS } from '../src/core/errors.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** A file imports its own folder and lower ranks only; folders of one rank do not import each other. */
const RANKS: Record<string, number> = {
  cli: 10,
  runtime: 9,
  serve: 8,
  orchestrate: 7,
  observe: 7,
  ingest: 6,
  stream: 6,
  transform: 6,
  quality: 6,
  plan: 5,
  govern: 5,
  engine: 4,
  connectors: 4,
  log: 3,
  lake: 3,
  define: 2,
  store: 2,
  objects: 1,
  schema: 1,
  core: 0,
}

interface Ban {
  readonly pattern: RegExp
  readonly allowed: RegExp
  readonly instead: string
}

const BANS: Ban[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/, allowed: /^src\/core\/clock\.ts/, instead: 'take a Clock' },
  { pattern: /\bMath\.random\(|\brandomUUID\(/, allowed: /^src\/core\/random\.ts/, instead: 'take a Random' },
  { pattern: /(?<!socket\.)\bsetTimeout\(|\bsetInterval\(/, allowed: /^src\/core\/clock\.ts/, instead: 'take a Clock' },
  { pattern: /\bconsole\.(log|error|warn|info)\(/, allowed: /^src\/cli\//, instead: 'log through the runtime, print in cli' },
  {
    pattern: /from 'node:fs(\/promises)?'/,
    allowed: /^src\/(core\/disk|log\/|lake\/|store\/|connectors\/|engine\/|runtime\/|cli\/)/,
    instead: 'take a Disk',
  },
  { pattern: /\b(FIXME|XXX)\b/, allowed: /^$/, instead: 'mend it' },
  { pattern: /\.\.\/shared\b/, allowed: /^$/, instead: 'the repository stands alone' },
]

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    if (name === 'node_modules' || name === 'dist' || name === 'data') return []
    const path = join(folder, name)
    return statSync(join(root, path)).isDirectory() ? filesUnder(path) : [path]
  })
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = filesUnder('src').filter((path) => path.endsWith('.ts'))
const product = sources.filter((path) => !path.endsWith('.test.ts'))
const folderOf = (path: string): string => path.split('/')[1] ?? ''

test('imports point down', () => {
  assert.ok(product.length >= 20, `saw only ${product.length} files`)
  let seen = 0
  for (const path of product) {
    const from = folderOf(path)
    if (path === 'src/index.ts') continue
    assert.ok(RANKS[from] !== undefined, `${path}: the folder is not in the rank table`)
    for (const match of read(path).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = relative(root, join(root, dirname(path), match[1]!))
      const to = folderOf(target)
      seen++
      if (to === from) continue
      assert.ok(RANKS[to] !== undefined && RANKS[to] < RANKS[from]!, `${path} (rank ${RANKS[from]}) imports ${target} (rank ${RANKS[to]})`)
    }
  }
  assert.ok(seen >= 20, `saw only ${seen} imports`)
})

test('banned calls', () => {
  for (const path of product) {
    const lines = read(path).split('\n')
    for (const ban of BANS) {
      if (ban.allowed.test(path)) continue
      const line = lines.findIndex((text) => ban.pattern.test(text))
      assert.equal(line, -1, `${path}:${line + 1} matches ${ban.pattern}: ${ban.instead}`)
    }
  }
})

test('names, depth and opening comments', () => {
  for (const path of sources) {
    assert.match(path, /^src\/([a-z]+\/){0,2}[a-z0-9-]+(\.test)?\.ts$/, `${path}: kebab-case, at most src/area/part/file.ts`)
    assert.doesNotMatch(path, /\/(utils?|helpers?|common|manager|service|base)(-|\.)/, `${path}: name it after what it exports`)
    assert.ok(read(path).startsWith('//'), `${path}: opens with what it is for`)
  }
})

test('every thrown code is in the catalogue, every code of the catalogue is used', () => {
  const used = new Set<string>()
  for (const path of product) {
    if (path === 'src/core/errors.ts') continue
    for (const match of read(path).matchAll(/'(MR_[A-Z0-9_]+)'/g)) {
      assert.ok(match[1]! in ERRORS, `${path}: ${match[1]} is not in core/errors.ts`)
      used.add(match[1]!)
    }
  }
  assert.deepEqual(
    Object.keys(ERRORS).filter((code) => !used.has(code)),
    [],
  )
})
