// Where things are: metadata speaks URIs (`file:///...`, which PyIceberg, Spark and DuckDB all read), the disk speaks
// plain absolute paths. No percent-encoding: readers take what follows the scheme as it stands.

/** `/a/b` as `file:///a/b`; a URI stays as it is. */
export const toUri = (path: string): string => (path.includes('://') ? path : `file://${path}`)

/** The plain path of `file:///a/b` or `file:/a/b`. */
export const toPath = (uri: string): string => uri.replace(/^file:(\/\/)?/, '')

/** The directory of a path, without a slash at its end. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** Whether a path is below a directory, by its text: `/a/b/c` is below `/a/b`, `/a/bc` and `/a/b/../c` are not. */
export const isBelow = (path: string, directory: string): boolean =>
  path.startsWith(`${directory}/`) && !path.split('/').some((part) => part === '..' || part === '.')

/** The number that a metadata file's name begins with, `00003-...` or `v3.`; 0 when there is none. */
export const numberOfMetadata = (location: string): number => Number(/(?:^|\/)v?(\d+)[^/]*$/.exec(location)?.[1] ?? 0)
