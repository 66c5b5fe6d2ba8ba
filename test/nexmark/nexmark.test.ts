// Nexmark through the whole path: events go in by the door, each query runs as a live model of the project beside this file, and
// its table equals DuckDB's own reading of the query over the rows of the streams; for windows, those that the watermark closed.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ModelManifest } from '../../src/define/manifest.ts'
import { liveShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { inlineConstants } from '../../src/engine/sql-text.ts'
import { compileProject, mustBeSound } from '../../src/runtime/start-project.ts'
import { StreamWorld } from '../simulation/stream-world.ts'
import { FIFTY, nexmarkLines, SHAPES, type StreamName, sideInputLines } from './events.ts'
import { QUERIES } from './queries.ts'

const IS_LONG = process.env['MILLRACE_TEST_ALL'] === '1'
/** Two hundred events a second of event time: 100 seconds, or 500. */
const [FIFTIES, PER_SECOND, BATCH] = [IS_LONG ? 2_000 : 400, 200, 50]

let world: StreamWorld

before(async () => {
  const compiled = await compileProject(import.meta.dirname)
  mustBeSound(compiled)
  world = await StreamWorld.open({ manifest: compiled.manifest, readBytes: 100_000 })
  await world.send('side_input', sideInputLines().toString())
  await world.clock.advance(10)
  for (let from = 0; from < FIFTIES; from += BATCH) {
    const lines = nexmarkLines({ from, count: BATCH, perSecond: PER_SECOND })
    for (const name of Object.keys(SHAPES) as StreamName[]) await world.send(name, lines[name].toString())
    await world.send('arriving', lines.bid.toString())
    await world.clock.advance(1_000 * ((BATCH * FIFTY) / PER_SECOND))
    // In the middle of it, a commit and a kill.
    if (from === FIFTIES / 2) {
      await world.caughtUp()
      await world.flush()
      await world.restart()
    }
  }
  await world.caughtUp()
})

after(() => world[Symbol.asyncDispose]())

const count = async (relation: string): Promise<number> => Number((await world.ask(`SELECT count(*) FROM ${relation}`))[0]![0])

test('the generator keeps its proportions, and every row is out', async () => {
  assert.deepEqual(
    await Promise.all(['person', 'auction', 'bid', 'arriving'].map(count)),
    [1, 3, 46, 46].map((each) => each * FIFTIES),
  )
  const whole = nexmarkLines({ from: 0, count: 7, perSecond: PER_SECOND })
  const cut = [0, 3].map((from) => nexmarkLines({ from, count: from === 0 ? 3 : 4, perSecond: PER_SECOND }))
  for (const name of Object.keys(SHAPES) as StreamName[])
    assert.equal(cut.map((part) => part[name].toString()).join(''), whole[name].toString())
  const [[hot, all]] = (await world.ask(
    'SELECT max(n), sum(n)::INTEGER FROM (SELECT auction, count(*) AS n FROM bid GROUP BY 1)',
  )) as unknown as [[number, number]]
  assert.ok(Number(hot) > Number(all) / 1_000, 'there is no hot auction')
})

test('all 23 queries are here', () => {
  assert.deepEqual(
    QUERIES.map(({ name }) => name),
    Array.from({ length: 23 }, (_, i) => `q${i}`),
  )
})

/** When a window ends, where its end is no column. */
const ENDS: Readonly<Record<string, string>> = {
  q6: "opened + INTERVAL '20001 milliseconds'",
  q7: "window_start + INTERVAL '10 seconds'",
  q8: "starts + INTERVAL '10 seconds'",
}

for (const { name, about } of QUERIES) {
  test(`${name}: ${about}`, async () => {
    const model = world.options.manifest.relations.find((relation) => relation.name === name) as ModelManifest
    const { node } = await world.now.parser.parse(inlineConstants(model.sql))
    const query = compileLive(node, (stream) => {
      const relation = world.options.manifest.relations.find((candidate) => candidate.name === stream)
      return relation && liveShape(relation)
    })
    const watermark = new Date(world.pipeline(`live:${name}`).pipeline.watermarkUs! / 1_000).toISOString()
    const end = ENDS[name] ?? 'window_end'
    const closed = query.result === 'closing' ? ` WHERE ${end} <= '${watermark}'` : ''
    const names = model.shape.fields.map((field) => `"${field.name}"`).join(', ')
    const expected = await world.ask(`SELECT ${names} FROM (${printLive(query, (stream) => stream)})${closed} ORDER BY ALL`)
    const actual = await world.ask(`SELECT ${names} FROM ${name} ORDER BY ALL`)
    assert.ok(expected.length > 0, 'no rows')
    assert.deepEqual(
      actual.map((row) => row.map(String)),
      expected.map((row) => row.map(String)),
    )
  })
}
