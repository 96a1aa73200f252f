"""RSS tasks, against a real HTTP server that serves feeds."""

from __future__ import annotations

from typing import Any

import pytest

from flowthings_like import API
from flowthings_like.platform.tasks import rss_task

from .waiting import run_of
from .web import Page, Web

TYPE = {"Content-Type": "application/rss+xml"}


def item(n: int, title: str = "") -> str:
    return (
        f"<item><title>{title or f'item {n}'}</title><link>http://example.com/{n}</link><guid>{n}</guid>"
        f"<pubDate>Thu, 01 Jan 1970 00:00:{n:02} GMT</pubDate><category>a</category><category>b</category>"
        f"<description>&lt;b&gt;{n}&lt;/b&gt;&lt;script&gt;x()&lt;/script&gt;</description></item>"
    )


def feed(*items: str) -> bytes:
    channel = f"<channel><title>news</title>{''.join(items)}</channel>"
    return f"<?xml version='1.0'?><rss version='2.0'>{channel}</rss>".encode()


def new_task(api: API, url: str, **members: Any) -> str:
    return str(api.rss_task.create({"destination": "/acme/x", "url": url, **members})["id"])


def again(api: API, id_: str, runs: int) -> Any:
    api.rss_task.run(id_)
    return run_of(api.rss_task, id_, runs)


def titles(api: API) -> list[str]:
    return [drop["elems"]["title"] for drop in api.drop("/acme/x").find()]


def test_each_entry_becomes_a_drop_once(api: API, web: Web) -> None:
    web.pages["/f"] = Page(feed(item(2), item(1)), headers=TYPE)
    id_ = new_task(api, web.url("/f"))
    assert run_of(api.rss_task, id_)["status"] == "OK"
    newest, _ = api.drop("/acme/x").find()
    assert newest["elems"] == {
        "title": "item 2",
        "link": "http://example.com/2",
        "description": "<b>2</b>",  # without its script
        "guid": "2",
        "tags": ["a", "b"],
        "published": 2000,
    }
    assert again(api, id_, 2)["status"] == "NO_NEW_DATA"
    web.pages["/f"] = Page(feed(item(3), item(2), item(1)), headers=TYPE)
    assert again(api, id_, 3)["status"] == "OK"
    assert titles(api) == ["item 3", "item 2", "item 1"]


def test_a_changed_entry_takes_the_place_of_its_drop(api: API, web: Web) -> None:
    web.pages["/f"] = Page(feed(item(2), item(1)), headers=TYPE)
    id_ = new_task(api, web.url("/f"))
    run_of(api.rss_task, id_)
    web.pages["/f"] = Page(feed(item(2), item(1, "corrected")), headers=TYPE)
    assert again(api, id_, 2)["status"] == "OK"
    assert titles(api) == ["item 2", "corrected"]
    (_, report) = api.drop(api.rss_task.read(id_)["reportPath"]).find(order="asc")
    assert report["elems"]["drops"] == 1


def test_a_flow_that_holds_fewer_drops_than_the_feed(api: API, web: Web) -> None:
    api.flow.update({"id": api.flow.find(filter="path == '/acme/x'")[0]["id"], "capacity": 2})
    web.pages["/f"] = Page(feed(*(item(n) for n in range(5, 0, -1))), headers=TYPE)
    id_ = new_task(api, web.url("/f"))
    run_of(api.rss_task, id_)
    assert again(api, id_, 2)["status"] == "NO_NEW_DATA"
    assert titles(api) == ["item 5", "item 4"]


def test_a_feed_that_has_not_changed_is_not_sent_again(api: API, web: Web) -> None:
    headers = {**TYPE, "ETag": '"v1"', "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT"}
    web.pages["/f"] = Page(feed(item(1)), headers=headers)
    id_ = new_task(api, web.url("/f"))
    run_of(api.rss_task, id_)
    web.pages["/f"] = Page(status=304)
    for runs in 2, 3:
        assert again(api, id_, runs)["status"] == "NO_NEW_DATA"
        asked = web.asked[-1].headers
        assert asked["If-None-Match"] == '"v1"'
        assert asked["If-Modified-Since"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    web.pages["/f"] = Page(feed(item(2), item(1)), headers=TYPE)
    again(api, id_, 4)
    assert titles(api) == ["item 2", "item 1"]


def test_what_was_seen_is_remembered_over_a_failure(api: API, web: Web) -> None:
    web.pages["/f"] = Page(feed(item(1)), headers=TYPE)
    id_ = new_task(api, web.url("/f"))
    run_of(api.rss_task, id_)
    api.drop("/acme/x").delete_all()
    web.pages["/f"] = Page(status=500)
    assert again(api, id_, 2)["status"] == "ERROR"
    web.pages["/f"] = Page(feed(item(1)), headers=TYPE)
    assert again(api, id_, 3)["status"] == "NO_NEW_DATA"


def test_an_atom_feed(api: API, web: Web) -> None:
    web.pages["/f"] = Page(
        b"<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title><entry><title>one</title><id>urn:1</id>"
        b"<updated>1970-01-01T00:00:01Z</updated><author><name>me</name></author>"
        b"<content type='html'>hello</content></entry></feed>"
    )
    run_of(api.rss_task, new_task(api, web.url("/f")))
    (drop,) = api.drop("/acme/x").find()
    expected = {"title": "one", "guid": "urn:1", "updated": 1000, "author": "me", "content": "hello"}
    assert expected.items() <= drop["elems"].items()


@pytest.mark.parametrize(
    "body", [b"", b"<html><p>hello</html>", b"/etc/passwd", b"http://127.0.0.1:1/", b"\0\xff"]
)
def test_no_feed(api: API, web: Web, body: bytes) -> None:
    web.pages["/f"] = Page(body)
    task = run_of(api.rss_task, new_task(api, web.url("/f")))
    assert (task["status"], task["statusMessage"]) == (
        "ERROR",
        "what was fetched is no feed: neither RSS nor Atom",
    )


def test_entities_of_a_feed_do_not_grow(api: API, web: Web) -> None:
    entities = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    body = f"<!DOCTYPE rss [<!ENTITY e0 'x'>{entities}<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
    web.pages["/f"] = Page(body.encode() + feed(item(1, "&e11; &f;")), headers=TYPE)
    run_of(api.rss_task, new_task(api, web.url("/f")))
    assert all(len(title) < 1000 and "root:" not in title for title in titles(api))


def test_a_feed_without_end(api: API, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rss_task, "MOST_ENTRIES", 2)
    web.pages["/f"] = Page(feed(item(3), item(2), item(1)), headers=TYPE)
    run_of(api.rss_task, new_task(api, web.url("/f")))
    assert titles(api) == ["item 3", "item 2"]
    monkeypatch.setattr(rss_task, "LARGEST_FEED", 100)
    task = run_of(api.rss_task, new_task(api, web.url("/f")))
    assert "100 is the most" in task["statusMessage"]


def test_entries_without_an_id(api: API, web: Web) -> None:
    web.pages["/f"] = Page(
        feed("<item><title>a</title></item><item><title>b</title></item><item/>"), headers=TYPE
    )
    id_ = new_task(api, web.url("/f"))
    run_of(api.rss_task, id_)
    assert sorted(titles(api)) == ["", "a", "b"]
    assert again(api, id_, 2)["status"] == "NO_NEW_DATA"
