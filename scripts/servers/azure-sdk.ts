// Microsoft's own library for Azure's Data Lake, as a second opinion on what we sign: installed with pip, at the version that speaks our
// version of the service, into .cache. `node scripts/servers/azure-sdk.ts` installs it.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const PACKAGES = ['azure-storage-file-datalake==12.10.0', 'azure-storage-blob==12.15.0', 'azure-core==1.41.0', 'six==1.17.0']

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'azure-sdk-12.10.0')

/** Path of a Python that has the library, or why there is none. */
export function installAzureSdk(): { readonly python: string } | { readonly missing: string } {
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
  const result = installAzureSdk()
  console.log('python' in result ? `Azure's library is installed: ${result.python}` : result.missing)
  process.exitCode = 'python' in result ? 0 : 1
}
