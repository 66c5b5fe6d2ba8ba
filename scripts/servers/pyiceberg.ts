// PyIceberg, an independent implementation of Iceberg that our tables are checked with: installed with pip, at pinned
// versions, into .cache. `node scripts/servers/pyiceberg.ts` installs it; tests call `installPyIceberg`.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const PACKAGES = [
  'pyiceberg==0.12.0',
  'pyiceberg-core==0.10.1',
  'pyarrow==26.0.1',
  'pydantic==2.14.4',
  'pyroaring==1.2.0',
  'fsspec==2026.9.0',
  's3fs==2026.9.0',
  'aiobotocore==3.10.0',
  'botocore==1.43.117',
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'pyiceberg-0.12.0-s3')

/** Path of a Python that has PyIceberg, or why there is none. */
export function installPyIceberg(): { readonly python: string } | { readonly missing: string } {
  const python = join(home, 'bin', 'python')
  if (existsSync(join(home, 'complete'))) return { python }
  rmSync(home, { recursive: true, force: true })
  mkdirSync(dirname(home), { recursive: true })
  const failed =
    run('python3', ['-m', 'venv', home]) ?? run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES])
  if (failed) return { missing: failed }
  // Written last, under its name in one step: an interrupted installation is begun anew.
  writeFileSync(join(home, 'complete.new'), PACKAGES.join('\n'))
  renameSync(join(home, 'complete.new'), join(home, 'complete'))
  return { python }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installPyIceberg()
  console.log('python' in result ? `PyIceberg is installed: ${result.python}` : result.missing)
  process.exitCode = 'python' in result ? 0 : 1
}
