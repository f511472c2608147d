"""What `kubectl logs`, `exec` and `attach` ask of the node's server, as they ask it."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from node_story import NAMESPACE, NodeStory, eventually, processes_with, shell, waiting_reason
from spdy_client import Upgraded

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


def url(story: NodeStory, verb: str, pod: str, container: str = "main") -> str:
    assert story.agent is not None
    return f"http://127.0.0.1:{story.agent.port}/{verb}/{NAMESPACE}/{pod}/{container}"


async def read_log(story: NodeStory, pod: str, **options: Any) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url(story, "containerLogs", pod), params=options) as answer,
    ):
        return answer.status, await answer.text()


class Remote:
    """A WebSocket to a program: what came on each channel."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.channels: dict[int, bytes] = {}

    async def until_end(self) -> dict[str, Any]:
        """The Status that says how the program ended."""
        async for message in self.socket:
            self.take(message.data)
        status: dict[str, Any] = json.loads(self.channels[ERROR])
        return status

    def take(self, data: bytes) -> None:
        self.channels[data[0]] = self.channels.get(data[0], b"") + data[1:]

    async def until(self, channel: int, text: bytes) -> None:
        async with asyncio.timeout(10):
            while text not in self.channels.get(channel, b""):
                self.take((await self.socket.receive()).data)

    async def type(self, data: bytes) -> None:
        await self.socket.send_bytes(bytes([STDIN]) + data)

    async def end_input(self) -> None:
        await self.socket.send_bytes(bytes([CLOSE, STDIN]))


class Connection:
    def __init__(self, address: str, *words: str, **flags: int) -> None:
        self._address = address
        self._query = [("command", word) for word in words] + [
            (key, str(value)) for key, value in flags.items()
        ]
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Remote:
        socket = await self._session.ws_connect(
            self._address, params=self._query, protocols=["v5.channel.k8s.io"]
        )
        return Remote(socket)

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()


# --- logs ---


async def test_logs_are_what_the_container_wrote(story: NodeStory) -> None:
    await story.create_pod("app", shell("echo one; echo two >&2; echo three; " + FOREVER))
    await story.until_ready("app")
    await story.until_logged("app", "three")
    status, text = await read_log(story, "app")
    assert status == 200
    assert sorted(text.split()) == ["one", "three", "two"]
    assert (await read_log(story, "app", tailLines="1"))[1].count("\n") == 1
    assert (await read_log(story, "app", limitBytes="2"))[1] == text[:2]
    stamped = (await read_log(story, "app", timestamps="true"))[1].splitlines()
    assert all(line.split(" ")[0].endswith("Z") for line in stamped)


async def test_a_followed_log_ends_with_its_container(story: NodeStory) -> None:
    script = "echo before; sleep 0.5; echo after"
    await story.create_pod("job", shell(script), restartPolicy="Never")
    await story.until("job", lambda pod: pod["status"].get("phase") == "Running")
    assert (await read_log(story, "job", follow="true"))[1] == "before\nafter\n"


async def test_the_log_before_the_last_restart(story: NodeStory) -> None:
    await story.create_pod("app", shell("echo attempt $$; exit 1"))
    await story.until("app", lambda pod: waiting_reason(pod) == "CrashLoopBackOff")
    _, current = await read_log(story, "app")
    _, previous = await read_log(story, "app", previous="true")
    assert current.startswith("attempt ")
    assert previous.startswith("attempt ")


async def test_no_log_before_a_container_ran(story: NodeStory) -> None:
    await story.create_pod("app", {"name": "main", "image": "nobody-knows:1"})
    await story.until("app", lambda pod: waiting_reason(pod) in ("ErrImagePull", "ImagePullBackOff"))
    assert await read_log(story, "app") == (
        400,
        'container "main" in pod "app" is waiting to start: image can\'t be pulled',
    )
    assert await read_log(story, "app", previous="true") == (
        400,
        'previous terminated container "main" in pod "app" not found',
    )
    assert (await read_log(story, "missing"))[0] == 404


# --- exec ---


async def test_exec_gives_both_streams_and_success(story: NodeStory) -> None:
    await story.create_pod("app", shell(FOREVER, env=[{"name": "WHO", "value": "me"}]))
    await story.until_ready("app")
    command = ("sh", "-c", "echo $WHO; echo oops >&2")
    async with Connection(url(story, "exec", "app"), *command, output=1, error=1) as remote:
        assert (await remote.until_end())["status"] == "Success"
    assert remote.channels[STDOUT] == b"me\n"
    assert remote.channels[STDERR] == b"oops\n"


async def test_exec_tells_the_exit_code(story: NodeStory) -> None:
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    async with Connection(url(story, "exec", "app"), "sh", "-c", "exit 7", output=1) as remote:
        status = await remote.until_end()
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "7"}]}


async def test_exec_of_a_program_that_is_not_there(story: NodeStory) -> None:
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    async with Connection(url(story, "exec", "app"), "no-such-program", output=1) as remote:
        status = await remote.until_end()
    assert status["status"] == "Failure"
    text = 'error executing command in container: exec: "no-such-program": executable file not found in $PATH'
    assert status["message"] == f"Internal error occurred: {text}"
    assert (status["reason"], status["details"]["causes"]) == ("InternalError", [{"message": text}])


async def test_a_whole_archive_goes_through_stdin_and_comes_back(story: NodeStory) -> None:
    """As `kubectl cp` does."""
    content = bytes(range(256)) * 4096
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    async with Connection(url(story, "exec", "app"), "cat", input=1, output=1) as remote:

        async def send() -> None:
            for start in range(0, len(content), 32768):
                await remote.type(content[start : start + 32768])
            await remote.end_input()

        _, status = await asyncio.gather(send(), remote.until_end())
    assert status["status"] == "Success"
    assert remote.channels[STDOUT] == content


async def test_exec_on_a_terminal_of_the_clients_size(story: NodeStory) -> None:
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    async with Connection(url(story, "exec", "app"), "sh", input=1, output=1, tty=1) as remote:
        await remote.socket.send_bytes(bytes([RESIZE]) + b'{"Width":101,"Height":31}')
        await remote.type(b"stty size\n")
        await remote.until(STDOUT, b"31 101")
        await remote.type(b"exit 5\n")
        status = await remote.until_end()
    assert status["details"]["causes"][0]["message"] == "5"


async def test_the_program_ends_when_the_client_goes(story: NodeStory) -> None:

    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    async with Connection(
        url(story, "exec", "app"), "sh", "-c", "echo up; exec sleep 733.25", output=1
    ) as remote:
        await remote.until(STDOUT, b"up")
        await remote.socket.close()

    async def is_gone() -> bool:
        return not processes_with("733.25")

    await eventually(is_gone, "the program is ended")


# --- attach ---


@pytest.mark.parametrize("terminal", [False, True])
async def test_attach_reaches_the_programs_own_streams(story: NodeStory, terminal: bool) -> None:
    script = "while read line; do echo got $line; [ $line = bye ] && exit 3; done"
    container = shell(script, stdin=True, stdinOnce=True, tty=terminal)
    await story.create_pod("app", container, restartPolicy="Never")
    await story.until_ready("app")
    async with Connection(url(story, "attach", "app"), input=1, output=1, tty=int(terminal)) as remote:
        await remote.type(b"hello\n")
        await remote.until(STDOUT, b"got hello")
        await remote.type(b"bye\n")
        await remote.until_end()
    assert b"got bye" in remote.channels[STDOUT]
    await story.until_phase("app", "Failed")


# --- over SPDY ---


async def test_exec_over_spdy_has_a_stream_for_each_channel(story: NodeStory) -> None:
    """As API servers before 1.36 ask a kubelet, and clients before 1.31 an API server."""
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    assert story.agent is not None
    words = "command=sh&command=-c&command=cat;%20echo%20oops%20>%262;%20exit%206&input=1&output=1&error=1"
    path = f"/exec/{NAMESPACE}/app/main?{words}"
    offered = "v1.channel.k8s.io, v4.channel.k8s.io"
    async with Upgraded(story.agent.port, path, offered) as client:
        assert b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in client.head
        error, stdin, stdout, stderr = [
            await client.begin(streamtype=name) for name in ("error", "stdin", "stdout", "stderr")
        ]
        await client.say(stdin, b"all of it", last=True)
        await client.until_ended(stdout, stderr, error)
    assert (client.received[stdout], client.received[stderr]) == (b"all of it", b"oops\n")
    assert json.loads(client.received[error])["details"]["causes"] == [{"reason": "ExitCode", "message": "6"}]


async def test_a_terminal_over_spdy_has_the_clients_size(story: NodeStory) -> None:
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    assert story.agent is not None
    path = f"/exec/{NAMESPACE}/app/main?command=sh&input=1&output=1&tty=1"
    async with Upgraded(story.agent.port, path, "v5.channel.k8s.io") as client:
        _, stdin, stdout, resize = [
            await client.begin(streamtype=name) for name in ("error", "stdin", "stdout", "resize")
        ]
        await client.say(resize, b'{"Width":101,"Height":31}')
        await client.say(stdin, b"stty size\n")
        await client.until_received(stdout, b"31 101")
