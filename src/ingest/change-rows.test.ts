// When a statement is computed again, and when it is given up: what others wrote, a pipeline that began anew, a snapshot that another engine
// moved, rows that are not shown. Relies on a log of one partition that only counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { changesSelect } from '../engine/dml/changes-select.ts'
import { readWrite } from '../engine/dml/read-statement.ts'
import { openTestEngine } from '../engine/testing.ts'
import type { Append, PartitionEnd } from '../log/log.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import { type Change, type ChangePorts, changeRows } from './change-rows.ts'

const TABLE = {
  name: 't',
  key: ['id'],
  shape: {
    fields: [
      { name: 'id', type: { kind: 'int' as const }, optional: false },
      { name: 'n', type: { kind: 'int' as const }, optional: true },
    ],
  },
}

class World implements AsyncDisposable {
  readonly clock = new VirtualClock(0)
  readonly #engine: Awaited<ReturnType<typeof openTestEngine>>
  readonly appended: { readonly part: Append; readonly ends: readonly PartitionEnd[] }[] = []
  end = 3
  life: string | null = 'first'
  contents = '1'
  asked = 0
  held = 0
  /** What others do while it is computed. */
  meanwhile: (world: World) => void | Promise<void> = () => {}

  private constructor(engine: Awaited<ReturnType<typeof openTestEngine>>) {
    this.#engine = engine
  }

  static async open(): Promise<World> {
    const engine = await openTestEngine()
    await engine.session.run('CREATE TABLE t AS SELECT i::INTEGER AS id, 0 AS n FROM range(5) r(i)')
    return new World(engine)
  }

  get ports(): ChangePorts {
    const { session } = this.#engine
    return {
      clock: this.clock,
      log: {
        range: () => ({ start: 0, end: this.end }),
        hold: async () => {
          this.held++
          return () => this.held--
        },
        append: async (_, parts, ends = []) => {
          if (ends.some(({ end }) => end !== this.end)) throw new MillraceError('MR_LOG_MOVED', 'moved')
          const [part] = parts
          this.appended.push({ part: part!, ends })
          this.end += part!.count
          return [{ partition: 0, first: this.end - part!.count, last: this.end - 1, duplicate: false }]
        },
      },
      tables: ['t'],
      catchUp: async () => this.life,
      life: () => this.life ?? '',
      contents: async () => this.contents,
      ask: async (take) => {
        this.asked++
        const taken = await take(session.pages(this.#sql))
        await this.meanwhile(this)
        return taken
      },
    }
  }

  #sql = ''

  async change(text: string, more: Partial<Change> = {}) {
    const none = { columns: async () => [], alias: async () => '' }
    const select = await changesSelect(readWrite(text)!, TABLE, none)
    this.#sql = select.sql
    const door = { topic: 't', partitions: 1, keyIndex: 0, scanner: compileScanner(TABLE.shape) }
    const rules = { table: TABLE, failedCheck: () => null, bytesMax: 1 << 20 }
    return changeRows(this.ports, { door, select, rules, isDryRun: false, timeoutMs: 60_000, ...more })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]()
  }
}

test('rows, keys, or both are one part; nothing is none', async () => {
  await using world = await World.open()
  await world.change('UPDATE t SET n = 1 WHERE id = 1')
  await world.change('DELETE FROM t WHERE id = 1')
  await world.change('UPDATE t SET id = id + 10 WHERE id = 1')
  assert.deepEqual((await world.change('DELETE FROM t WHERE id = 99')).offsets, [])
  assert.deepEqual(
    world.appended.map(({ part, ends }) => [part.kind, part.count, String(Buffer.from(part.payload)), ends]),
    [
      ['rows', 1, '{"id":1,"n":1}\n', [{ topic: 't', partition: 0, end: 3 }]],
      ['deletes', 1, '{"id":1}\n', [{ topic: 't', partition: 0, end: 4 }]],
      ['changes', 2, '-{"id":1}\n{"id":11,"n":0}\n', [{ topic: 't', partition: 0, end: 5 }]],
    ],
  )
})

test('it is computed again for what came meanwhile, first without and then with the others waiting', async () => {
  await using world = await World.open()
  let moves = 3
  const heldAt: number[] = []
  world.meanwhile = () => {
    heldAt.push(world.held)
    if (moves-- > 0) world.end++
  }
  const changed = await world.change('UPDATE t SET n = 1')
  assert.deepEqual([changed.attempts, changed.updated, world.appended.length, world.held], [4, 5, 1, 0])
  assert.deepEqual(heldAt, [0, 0, 1, 1])
})

test('it is computed again when less was shown, or another engine committed', async () => {
  await using world = await World.open()
  world.meanwhile = () => {
    if (world.asked === 1) world.life = 'second'
    if (world.asked === 2) world.contents = '2'
  }
  assert.equal((await world.change('UPDATE t SET n = 1')).attempts, 3)
  assert.equal(world.appended.length, 1)
})

test('it is given up when others are faster each time, or it takes too long', async () => {
  await using world = await World.open()
  world.meanwhile = () => void world.end++
  await assert.rejects(world.change('UPDATE t SET n = 1'), { code: 'MR_SQL_CONFLICT' })
  assert.deepEqual([world.asked, world.held, world.appended.length], [8, 0, 0])
  world.asked = 0
  world.meanwhile = async () => {
    world.end++
    await world.clock.advance(20_000)
  }
  await assert.rejects(world.change('UPDATE t SET n = 1'), /each of the 2 times/)
  assert.equal(world.asked, 2)
})

test('rows that are not shown in time, or never, end it before it asks', async () => {
  await using world = await World.open()
  world.life = null
  await assert.rejects(world.change('UPDATE t SET n = 1'), { code: 'MR_NOT_READY' })
  const ports = world.ports
  const late = changeRows(
    { ...ports, catchUp: () => new Promise(() => {}) },
    {
      door: { topic: 't', partitions: 1, keyIndex: 0, scanner: compileScanner(TABLE.shape) },
      select: { sql: '', branches: [], onConflict: 'error', mayRepeat: false, addsKeys: false },
      rules: { table: TABLE, failedCheck: () => null, bytesMax: 1 },
      isDryRun: false,
      timeoutMs: 1_000,
    },
  )
  const refused = assert.rejects(late, { code: 'MR_SQL_TIMEOUT' })
  await world.clock.advance(1_001)
  await refused
  assert.equal(world.asked, 0)
})

test('a dry run says the same and appends nothing', async () => {
  await using world = await World.open()
  assert.deepEqual(await world.change('DELETE FROM t WHERE id < 3', { isDryRun: true }), {
    inserted: 0,
    updated: 0,
    deleted: 3,
    offsets: [],
    attempts: 1,
  })
  assert.deepEqual(world.appended, [])
})
