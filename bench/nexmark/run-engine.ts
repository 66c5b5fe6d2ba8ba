// One query of Nexmark in the engine, over files: runs it to be warm, two seconds and once at least, then once to be measured, and prints one JSON line. A process
// of its own for each query, so that none is measured in code that another has shaped. Usage: node24 run-engine.ts <query> <directory>
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { openParser } from '../../src/engine/ast.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { BESIDE } from '../../test/nexmark/beside.ts'
import { liveShapeOf, NexmarkRun } from '../../test/nexmark/engine.ts'
import { partitionsOf } from '../../test/nexmark/flink.ts'
import { QUERIES } from '../../test/nexmark/queries.ts'

const [name, directory] = process.argv.slice(2) as [string, string]
const { sql } = [...QUERIES, ...BESIDE].find((query) => query.name === name)!
const engine = await openTestEngine({ threads: 1 })
const parser = await openParser(engine.engine)
const query = compileLive((await parser.parse(sql)).node, liveShapeOf)
parser.close()
await engine[Symbol.asyncDispose]()

const run = new NexmarkRun(query)
const begun = process.hrtime.bigint()
let spent = {}
for (let isWarm = false, isLast = false; !isLast; ) {
  isLast = isWarm
  let rows = 0
  const [cpu, start] = [process.cpuUsage(), process.hrtime.bigint()]
  run.run(
    (stream) => partitionsOf(directory, stream),
    (batch) => {
      rows += batch.rows
    },
  )
  const { user, system } = process.cpuUsage(cpu)
  isWarm = process.hrtime.bigint() - begun > 2_000_000_000n
  spent = { wallSeconds: Number(process.hrtime.bigint() - start) / 1e9, cpuSeconds: (user + system) / 1e6, rows }
}
process.stdout.write(`${JSON.stringify(spent)}\n`)
