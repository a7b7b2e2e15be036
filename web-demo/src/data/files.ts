// Fetches what lies beside the page.

const base = document.baseURI;

/** A file beside the page; what the server refuses is an error that names the file. */
export async function fetchBeside(path: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(new URL(path, base), signal ? { signal } : {});
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

export async function fetchJson<T>(path: string): Promise<T> {
  return (await (await fetchBeside(path)).json()) as T;
}
