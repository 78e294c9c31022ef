// The Packages API with @gitbeaker/rest: prints the results as JSON, for tests/clients/test_gitlab_clients.py.
import { createRequire } from "node:module";

const [folder, host, token] = process.argv.slice(2);
const { Gitlab } = createRequire(`${folder}/`)("@gitbeaker/rest");
const gitlab = new Gitlab({ host, token });
const names = (packages) => packages.map(({ name, version }) => `${name} ${version}`);
const statusOf = (promise) => promise.then(() => 200, (error) => error.cause?.response?.status ?? String(error));

const project = await gitlab.Projects.show("acme/tools");
const group = await gitlab.Groups.show("acme");
const inProject = (options) => gitlab.Packages.all({ projectId: "acme/tools", ...options }).then(names);
const inGroup = (options) => gitlab.Packages.all({ groupId: "acme", ...options }).then(names);
const [first] = await gitlab.Packages.all({ projectId: project.id, packageName: "alpha" });
const shown = await gitlab.Packages.show(project.id, first.id);
const files = await gitlab.Packages.allFiles(project.id, first.id);
const [{ file_sha256, file_name }] = files;
const file = await gitlab.PyPI.downloadPackageFile(file_sha256, file_name, { projectId: project.id });
const page = await gitlab.PyPI.showPackageDescriptor("alpha", { projectId: project.id });

const result = {
    project: [project.id, project.path_with_namespace, project.visibility],
    group: group.full_path,
    all: await inProject({ perPage: 2 }),
    newest: await inProject({ orderBy: "name", sort: "desc" }),
    words: await inProject({ packageName: "PHA alp" }),
    version: await inProject({ packageVersion: "2.0" }),
    npm: await inProject({ packageType: "npm" }),
    group_all: await inGroup({ orderBy: "project_path" }),
    direct: await inGroup({ excludeSubgroups: true }),
    versions: shown.versions.map(({ version }) => version),
    files: files.map(({ file_name }) => file_name),
    size: file.size,
    page: (page.text ? await page.text() : String(page)).includes(file_name),
    statuses: [
        await statusOf(gitlab.Packages.show(project.id, 999)),
        await statusOf(gitlab.Packages.all({ projectId: "acme/tools", sort: "up" })),
        await statusOf(gitlab.Packages.all({ projectId: "acme/nothing" })),
        await statusOf(new Gitlab({ host, token: "wrong" }).Packages.all({ projectId: "acme/tools" })),
        await statusOf(gitlab.Packages.removeFile(project.id, first.id, 999)),
    ],
};
await gitlab.Packages.removeFile(project.id, first.id, files[0].id);
await gitlab.Packages.remove(project.id, (await gitlab.Packages.all({ projectId: project.id, packageName: "beta" }))[0].id);
result.left = await inProject({});
console.log(JSON.stringify(result));
