"""Asks a demo that runs somewhere for a picture, through its endpoint `/generate`.

python app.py &                                                       # or any Space that serves this demo
python examples/api_client.py http://127.0.0.1:7860                   # writes api_client.png
python examples/api_client.py OWNER/SPACE --photo me.jpg --pose person11-view1
"""

import argparse
import shutil

from gradio_client import Client, handle_file


def main(argv: list[str] | None = None):
    parser = argparse.ArgumentParser()
    parser.add_argument("demo", help="address of the demo, or the name of a Space")
    parser.add_argument("--photo", help="photo of one person (default: a bundled one)")
    parser.add_argument("--pose", default="person11-view1", help="name of a bundled pose")
    parser.add_argument("--output", default="api_client.png")
    args = parser.parse_args(argv)

    client = Client(args.demo, verbose=False)
    photo = handle_file(args.photo) if args.photo else None
    picture, edges, skeleton, comparison, figures = client.predict(
        person="person05", pose=args.pose, photo=photo, api_name="/generate"
    )
    shutil.copyfile(picture, args.output)
    print(figures)


if __name__ == "__main__":
    main()
