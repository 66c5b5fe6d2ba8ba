// Loading projects that lie outside of this package, and the errors that a user sees.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadProject } from './load.ts'

const home = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-load-')))
after(() => rmSync(home, { recursive: true, force: true }))

let count = 0
/** A directory with these files. */
function directory(files: Readonly<Record<string, string>>): string {
  const path = join(home, String(count++))
  mkdirSync(path)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return path
}

const TABLES = "import { table, t } from 'millrace'\n\nexport const orders = table('orders', { id: t.string() }, { key: 'id' })\n"
const ENTRY = "import { project } from 'millrace'\nimport * as tables from './tables.ts'\nexport default project('shop', [tables])\n"

test('a project without an installed millrace uses the running one', async () => {
  const path = directory({ 'package.json': '{"type": "module"}', 'millrace.ts': ENTRY, 'tables.ts': TABLES })
  const { project, files, exported } = await loadProject(path)
  assert.equal(project.$name, 'shop')
  assert.deepEqual(files.toSorted(), [join(path, 'millrace.ts'), join(path, 'tables.ts')])
  assert.deepEqual(exported.map(({ exportName }) => exportName).toSorted(), ['default', 'orders'])
  assert.equal(project.$members[0]?.definition.$at, `${join(path, 'tables.ts')}:3`)
})

test('loading again reads every file again', async () => {
  const path = directory({ 'package.json': '{"type": "module"}', 'millrace.ts': ENTRY, 'tables.ts': TABLES })
  await loadProject(path)
  writeFileSync(join(path, 'tables.ts'), TABLES.replaceAll('orders', 'payments'))
  const { project } = await loadProject(path)
  assert.equal(project.$members[0]?.definition.$name, 'payments')
  assert.equal(project.$members[0]?.definition.$at, `${join(path, 'tables.ts')}:3`)
})

test('package.json may name the entry', async () => {
  const path = directory({ 'package.json': '{"type": "module", "millrace": "main.ts"}', 'main.ts': ENTRY, 'tables.ts': TABLES })
  assert.equal((await loadProject(path)).entry, join(path, 'main.ts'))
})

const refuse = async (files: Readonly<Record<string, string>>, code: string, message: RegExp, at?: string): Promise<void> => {
  const path = directory({ 'package.json': '{"type": "module"}', ...files })
  await assert.rejects(loadProject(path), (error: { code: string; message: string; at?: string; fix?: string }) => {
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.ok(error.fix)
    if (at !== undefined) assert.equal(error.at, join(path, at))
    return true
  })
}

test('no project', async () => {
  await refuse({}, 'MR_LOAD_NO_PROJECT', /holds no millrace\.ts/)
  await refuse({ 'millrace.ts': 'export const x = 1\n' }, 'MR_LOAD_NO_PROJECT', /has no default export/)
  await refuse({ 'millrace.ts': 'export default 1\n' }, 'MR_LOAD_NO_PROJECT', /exports something else than a project/)
  await assert.rejects(loadProject(join(home, 'nowhere')), { code: 'MR_LOAD_NO_PROJECT' })
  await refuse({ 'package.json': '{' }, 'MR_LOAD_PROJECT', /package\.json is not valid JSON/)
})

test('files that do not load, with the place', async () => {
  await refuse(
    { 'millrace.ts': 'const a = 1\nconst x: number =\nexport default {\n' },
    'MR_LOAD_PROJECT',
    /Expression expected/,
    'millrace.ts:3',
  )
  await refuse({ 'millrace.ts': ENTRY, 'tables.ts': '\n\nconst a = {,}\n' }, 'MR_LOAD_PROJECT', /tables\.ts:3 does not load/, 'tables.ts:3')
  await refuse({ 'millrace.ts': '\nenum A { x }\nexport default A\n' }, 'MR_LOAD_PROJECT', /enum is not supported/, 'millrace.ts:2')
  await refuse({ 'millrace.ts': ENTRY, 'tables.ts': "\nthrow new Error('boom')\nexport {}\n" }, 'MR_LOAD_PROJECT', /boom/, 'tables.ts:2')
  await refuse({ 'millrace.ts': ENTRY }, 'MR_LOAD_PROJECT', /Cannot find module/, 'millrace.ts:1')
  await refuse(
    { 'millrace.ts': "import { nope } from 'millrace'\nexport default nope\n" },
    'MR_LOAD_PROJECT',
    /does not provide an export named 'nope'/,
    'millrace.ts:1',
  )
  await refuse(
    { 'millrace.ts': "import { sql } from 'millrace'\n\nexport default sql`SELECT $" + '{undefined}`\n' },
    'MR_DEFINE_VALUE',
    /hole 1 of the SQL is undefined/,
    'millrace.ts:3',
  )
})
