// Iceberg's REST compatibility kit, in Java, against the running program: every test passes, but for those of a capability
// that docs/reference/iceberg.md says Millrace has not. `npm run test:rck` runs it alone and prints the totals.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { installKit } from '../../scripts/servers/rck.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const kit = installKit()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in kit && !isRequired ? `the compatibility kit is not available: ${kit.missing}` : false

const CLASSES = ['MillraceCatalogTests', 'MillraceViewCatalogTests']

interface Totals {
  readonly total: number
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
}

/** Runs one class of the kit, which wants a catalog without the namespaces that it uses. */
function runKit(name: string, server: TestServer, home: string): Promise<Totals> {
  const [reports, temp, tables] = ['reports', 'temp', 'tables'].map((name) => join(home, name)) as [string, string, string]
  for (const path of [temp, tables]) mkdirSync(path)
  const settings: Record<string, string> = {
    uri: `${server.url}/iceberg`,
    token: server.token,
    warehouse: 'millrace',
    local: 'false',
    'requires-namespace-create': 'true',
    'supports-names-with-dot': 'true',
  }
  // The kit's build passes each setting a second time without its prefix.
  const properties = Object.entries(settings).flatMap(([name, value]) => [`-Drck.${name}=${value}`, `-D${name}=${value}`])
  const args = [
    ...properties,
    `-Dmillrace.tables=file:${tables}`,
    `-Djava.io.tmpdir=${temp}`,
    '-cp',
    'missing' in kit ? '' : kit.classPath,
    'org.junit.platform.console.ConsoleLauncher',
    'execute',
    `--select-class=org.apache.iceberg.rest.${name}`,
    ...Object.entries(settings).map(([name, value]) => `--config=rck.${name}=${value}`),
    '--details=none',
    '--disable-banner',
    `--reports-dir=${reports}`,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn('java', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-20_000)
    })
    child.on('error', reject)
    child.on('exit', () => {
      try {
        resolve(readTotals(reports))
      } catch (error) {
        reject(new Error(`${(error as Error).message}\n${errors}`))
      }
    })
  })
}

/** From the reports in JUnit's XML. */
function readTotals(reports: string): Totals {
  const xml = readdirSync(reports)
    .filter((name) => name.endsWith('jupiter.xml'))
    .map((name) => readFileSync(join(reports, name), 'utf8'))
    .join('')
  const cases = [...xml.matchAll(/<testcase name="([^"]+)" classname="[\w.]*?(\w+)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, name, of, body = '']) => ({ name: `${of}.${name}`, body: body.replace(/<system-out>[\s\S]*?<\/system-out>/g, '') }),
  )
  const having = (element: string) =>
    cases.filter(({ body }) => body.includes(`<${element}`)).map(({ name, body }) => `${name}: ${messageOf(body).slice(0, 2_000)}`)
  const failed = [...having('failure'), ...having('error')]
  const skipped = having('skipped')
  return { total: cases.length, failed, skipped }
}

/** What a failure says, or why a test was skipped. */
const messageOf = (body: string): string => (/message="([^"]*)"/.exec(body)?.[1] ?? /due to: \[([^\]]*)\]/.exec(body)?.[1] ?? body).trim()

async function runOnServer(name: string): Promise<Totals> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-rck-'))
  const server = await startServer({
    project: join(root, 'test', 'iceberg', 'project'),
    data: join(home, 'data'),
    env: { MILLRACE_LAKE_LOCATIONS: `${join(home, 'tables')},${join(home, 'temp')}` },
  })
  try {
    return await runKit(name, server, home)
  } finally {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

test('the REST compatibility kit passes', { skip, timeout: 1_200_000 }, async () => {
  const all: Totals[] = []
  for (const name of CLASSES) all.push(await runOnServer(name))
  const [failed, skipped] = [all.flatMap((one) => one.failed), all.flatMap((one) => one.skipped)]
  const total = all.reduce((sum, one) => sum + one.total, 0)
  const passed = total - failed.length - skipped.length
  console.log(`REST compatibility kit: ${total} tests, ${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
  for (const line of skipped) console.log(`  skipped: ${line.split('\n')[0]}`)
  for (const line of failed) console.log(`  failed: ${line}`)
  assert.ok(total >= 150, `the kit ran ${total} tests`)
  assert.deepEqual(failed, [])
  const reasons = readFileSync(join(root, 'docs', 'reference', 'iceberg.md'), 'utf8')
  for (const line of skipped)
    assert.ok(reasons.includes(`\`${line.split(/[.(]/)[1]}\``), `docs/reference/iceberg.md does not say why ${line}`)
})
