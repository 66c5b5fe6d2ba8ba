// What encryption costs below the server: the same rows written to a table in the clear and to an encrypted one, and one column of them,
// and all, read back, in turns. Ratios are of times of the processor, encrypted against plain; times of the wall beside them. One
// JSON line per figure. Usage: node24 bench/encryption.ts [rows, default 1000000] [rounds, default 5]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { nodeDisk } from '../src/core/disk.ts'
import { systemRandom } from '../src/core/random.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import { fileNames } from '../src/engine/file-names.ts'
import { fileUnlocker } from '../src/engine/parquet-keys.ts'
import { scanSql } from '../src/engine/scan.ts'
import { writeParquet } from '../src/engine/write.ts'
import { ENCRYPTED } from '../src/lake/encrypted.ts'
import { openLake } from '../src/lake/open-lake.ts'
import type { Field } from '../src/schema/type.ts'
import { openTestRing } from '../test/seal/keys.ts'
import { modelCatalog } from '../test/simulation/model-catalog.ts'

const ROWS = Number(process.argv[2] ?? 1_000_000)
const ROUNDS = Number(process.argv[3] ?? 5)
const FIELDS: readonly Field[] = [
  { name: 'id', type: { kind: 'long' }, optional: false },
  { name: 'name', type: { kind: 'string' }, optional: false },
  { name: 'city', type: { kind: 'string' }, optional: false },
  { name: 'amount', type: { kind: 'double' }, optional: false },
  { name: 'n', type: { kind: 'int' }, optional: false },
]
const SELECT = `SELECT i AS id, md5(i::VARCHAR) AS name, 'city ' || i % 1000 AS city, i * 0.37 AS amount, (i % 97)::INTEGER AS n FROM range(${ROWS}) AS r(i)`
const WORK: Readonly<Record<string, (scan: string) => string>> = {
  'one column read': (scan) => `SELECT sum(n) FROM (${scan})`,
  'all columns read': (scan) => `SELECT sum(id), max(name), max(city), sum(amount), sum(n) FROM (${scan})`,
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const keys = await openTestRing(directory)
const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill'), threads: 2, keys })
const session = await engine.session()
const lake = openLake({
  disk: nodeDisk,
  clock: systemClock,
  random: systemRandom,
  catalog: modelCatalog(),
  directory: join(directory, 'lake'),
  namesIn: fileNames(engine),
  encrypted: { keys, unlock: fileUnlocker(keys) },
})

interface Times {
  cpuMs: number
  wallMs: number
}

const spent = new Map<string, Times>()

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const result = await work()
  const { user, system } = process.cpuUsage(cpu)
  const times = spent.get(what) ?? { cpuMs: 0, wallMs: 0 }
  spent.set(what, { cpuMs: times.cpuMs + (user + system) / 1_000, wallMs: times.wallMs + performance.now() - startMs })
  return result
}

async function round(kind: 'plain' | 'encrypted', n: number): Promise<string> {
  const name = `${kind}${n}`
  const properties = kind === 'encrypted' ? { properties: { [ENCRYPTED]: name } } : {}
  const made = await lake.create({ name, shape: { fields: FIELDS }, partition: [], cluster: [], key: [], ...properties })
  const add = await timed(`${kind} written`, () =>
    writeParquet(session, { select: SELECT, table: made, directory: lake.dataDirectory(made) }),
  )
  const table = (await lake.commit([{ table: name, operation: 'append', add, remove: [] }])).tables[0]!
  using lease = lake.lease()
  const files = await lease.local(await lake.files(table, table.current!))
  const answers: unknown[] = []
  for (const [what, sqlOf] of Object.entries(WORK))
    answers.push((await timed(`${kind} ${what}`, () => session.rows(sqlOf(scanSql({ table, files, tails: [] }))))).rows)
  return JSON.stringify(answers, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}

try {
  for (let n = 0; n < ROUNDS; n++) {
    const plain = await round('plain', n)
    if ((await round('encrypted', n)) !== plain) throw new Error('the encrypted rows are others')
    // The first warms.
    if (n === 0) spent.clear()
  }
  for (const what of ['written', ...Object.keys(WORK)]) {
    const [plain, encrypted] = ['plain', 'encrypted'].map((kind) => spent.get(`${kind} ${what}`)!)
    const ratio = (of: keyof Times): number => Number((encrypted![of] / plain![of]).toFixed(2))
    const figure = { bench: 'encryption', case: `${ROWS} rows, ${what}`, value: ratio('cpuMs'), unit: 'times plain, processor' }
    console.log(JSON.stringify({ ...figure, wall: ratio('wallMs'), rounds: ROUNDS - 1, load: Number(loadavg()[0]!.toFixed(2)) }))
  }
} finally {
  session.close()
  engine.close()
  rmSync(directory, { recursive: true, force: true })
}
