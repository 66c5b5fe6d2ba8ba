// `npm run bench -- <name> [arguments]`: runs `bench/<name>.ts`, which prints one JSON line per figure.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDependencies, run } from './node24.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [name, ...args] = process.argv.slice(2)
const script = join(root, 'bench', `${name}.ts`)
if (!name || !existsSync(script)) {
  const parts = ['ingest-load.ts', 'peer-append.ts']
  const names = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts') && !parts.includes(file))
  process.stderr.write(`usage: npm run bench -- <name>; there are: ${names.map((file) => file.slice(0, -3)).join(', ')}\n`)
  process.exit(2)
}
installDependencies()
run(script, args)
