// PyIceberg, an independent implementation of Iceberg that our tables are checked with: installed with pip, at pinned
// versions, into .cache. `node scripts/servers/pyiceberg.ts` installs it; tests call `installPyIceberg`.
import { fileURLToPath } from 'node:url'
import { installPython, type Python, tellInstalled } from './python.ts'

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

/** Path of a Python that has PyIceberg, or why there is none. */
export const installPyIceberg = (): Python => installPython('pyiceberg-0.12.0-s3', PACKAGES)

if (process.argv[1] === fileURLToPath(import.meta.url)) tellInstalled('PyIceberg', installPyIceberg())
